package postgres

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// digest returns a hash of some names. Different lists of names have different hashes.
func digest(names ...string) [sha256.Size]byte {
	h := sha256.New()
	for _, n := range names {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(n)))
		h.Write(size[:])
		h.Write([]byte(n))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// channel returns the channel for changes of one kind. The name of a channel has at most
// 63 bytes, so it contains a hash of the group. Each kind has its own channel: all
// processes watch the document, and few watch the records.
func channel(schema, group string, kind replicated.Kind) string {
	d := digest("channel", schema, group)
	return "rollcall_" + hex.EncodeToString(d[:16]) + "_" + kind.String()
}

// lockKey returns the advisory lock of some names. The application may use advisory locks
// of the same database. So the key is a hash of 64 bits, which makes a collision
// unlikely.
func lockKey(names ...string) int64 {
	d := digest(append([]string{"lock"}, names...)...)
	return int64(binary.BigEndian.Uint64(d[:8]))
}

// payload encodes the name of a key, which may have any bytes, as the text of a
// notification.
func payload(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

func parsePayload(p string) (name string, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(p)
	return string(b), err == nil
}
