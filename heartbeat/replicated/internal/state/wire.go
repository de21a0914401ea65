package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

// errDamaged is matched by every error for a damaged encoding.
var errDamaged = errors.New("the encoding is damaged")

// reader decodes. It keeps the first fault, and returns zeros after it.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(format string, args ...any) {
	r.rest = nil
	if r.err == nil {
		r.err = fmt.Errorf("%w: "+format, append([]any{errDamaged}, args...)...)
	}
}

// number reads a number. Most are one byte long.
func (r *reader) number() uint64 {
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		v := r.rest[0]
		r.rest = r.rest[1:]
		return uint64(v)
	}
	return r.long()
}

func (r *reader) long() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.fail("a number is cut off or too long")
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// signed reads what appendSigned wrote.
func (r *reader) signed() int64 {
	v := r.number()
	return int64(v>>1) ^ -int64(v&1)
}

// count reads the number of elements that follow. It refuses a number above limit, and a number of
// elements that cannot fit into the rest of the data, at size bytes each. So a damaged number cannot
// make the caller allocate much more memory than the data takes.
func (r *reader) count(what string, size, limit int) int {
	n := r.number()
	switch {
	case n > uint64(limit):
		r.fail("there would be %d %s; the limit is %d", n, what, limit)
		return 0
	case n > uint64(len(r.rest)/size):
		r.fail("there would be %d %s in %d bytes", n, what, len(r.rest))
		return 0
	}
	return int(n)
}

// below reads a number that must be less than limit.
func (r *reader) below(limit int) int {
	n := r.number()
	if n >= uint64(limit) {
		r.fail("%d where less than %d was expected", n, limit)
		return 0
	}
	return int(n)
}

// text reads a string of at most limit bytes.
func (r *reader) text(limit int) string {
	n := r.count("bytes of a name", 1, limit)
	s := string(r.rest[:n])
	r.rest = r.rest[n:]
	return s
}

func (r *reader) byte() byte {
	if len(r.rest) == 0 {
		r.fail("the data is cut off")
		return 0
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// end returns the first fault. Bytes that are left are also a fault.
func (r *reader) end() error {
	if r.err == nil && len(r.rest) > 0 {
		r.fail("%d bytes are left", len(r.rest))
	}
	return r.err
}

func appendNumber(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// appendSigned writes a number near zero, of either sign, in few bytes.
func appendSigned(b []byte, v int64) []byte {
	return binary.AppendUvarint(b, uint64(v)<<1^uint64(v>>63))
}

func appendText(b []byte, s string) []byte {
	return append(appendNumber(b, uint64(len(s))), s...)
}

// appendIDs appends sorted, distinct shard IDs, log by log. It writes the differences between the
// numbers, which take one byte each in most lists.
func appendIDs(b []byte, n int, at func(int) shardset.ID) []byte {
	b = appendNumber(b, uint64(n))
	for i := 0; i < n; {
		log, end := at(i).Log, i+1
		for end < n && at(end).Log == log {
			end++
		}
		b = appendNumber(appendText(b, log), uint64(end-i))
		last := -1
		for ; i < end; i++ {
			b = appendNumber(b, uint64(at(i).Number-last-1))
			last = at(i).Number
		}
	}
	return b
}

// ids reads what appendIDs wrote. Each shard takes at least size bytes, including its other columns.
func (r *reader) ids(what string, size, limit int) []shardset.ID {
	n := r.count(what, size, limit)
	var ids []shardset.ID
	for before := ""; len(ids) < n && r.err == nil; {
		log, run := r.text(maxName), r.below(n-len(ids)+1)
		switch {
		case run == 0:
			r.fail("a run of %s is empty", what)
		case len(ids) > 0 && log <= before:
			r.fail("the logs %q and %q of the %s are out of order", before, log, what)
		default:
			ids = r.run(ids, log, run)
		}
		before = log
	}
	if r.err != nil {
		return nil
	}
	return ids
}

// run reads n shards of one log.
func (r *reader) run(ids []shardset.ID, log string, n int) []shardset.ID {
	if err := (shardset.ID{Log: log}).Validate(); err != nil {
		r.fail("%v", err)
	}
	for last := -1; n > 0 && r.err == nil; n-- {
		step := r.number()
		if last == math.MaxInt || step > uint64(math.MaxInt-1-last) {
			r.fail("a shard's number is too high")
			break
		}
		last += int(step) + 1
		if len(ids) == cap(ids) {
			ids = slices.Grow(ids, max(len(ids), 64)) // at most doubles
		}
		ids = append(ids, shardset.ID{Log: log, Number: last})
	}
	return ids
}
