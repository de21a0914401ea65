package slsserver

import (
	"bytes"
	"encoding/hex"
	"math/big"
	"strings"
)

// hashKey is a key of the hash space: 128 bits.
type hashKey [16]byte

var maxKey = hashKey(bytes.Repeat([]byte{0xff}, 16))

func parseKey(s string) (hashKey, bool) {
	var k hashKey
	if len(s) != 2*len(k) {
		return k, false
	}
	_, err := hex.Decode(k[:], []byte(strings.ToLower(s)))
	return k, err == nil
}

func (k hashKey) String() string { return hex.EncodeToString(k[:]) }

func (k hashKey) compare(other hashKey) int { return bytes.Compare(k[:], other[:]) }

// keyRange is [begin, end). The range that ends at the greatest key contains that key too.
type keyRange struct{ begin, end hashKey }

func (r keyRange) has(k hashKey) bool {
	return r.begin.compare(k) <= 0 && (k.compare(r.end) < 0 || k == maxKey && r.end == maxKey)
}

// divide cuts the range into n ranges of nearly the same size. It returns nil if the range has
// fewer than n keys.
func (r keyRange) divide(n int) []keyRange {
	begin := new(big.Int).SetBytes(r.begin[:])
	end := new(big.Int).SetBytes(r.end[:])
	if r.end == maxKey {
		end.Add(end, big.NewInt(1)) // so that halves of the whole space meet at 8000...
	}
	size := new(big.Int).Sub(end, begin)
	if size.Cmp(big.NewInt(int64(n))) < 0 {
		return nil
	}
	ranges := make([]keyRange, n)
	at := r.begin
	for i := range ranges {
		next := r.end
		if i < n-1 {
			step := new(big.Int).Mul(size, big.NewInt(int64(i+1)))
			step.Div(step, big.NewInt(int64(n))).Add(step, begin).FillBytes(next[:])
		}
		ranges[i] = keyRange{at, next}
		at = next
	}
	return ranges
}

var wholeSpace = keyRange{end: maxKey}
