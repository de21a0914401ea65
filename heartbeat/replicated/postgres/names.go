package postgres

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// digest condenses some names to bytes that no other names give.
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

// channel is where changes of one kind are notified. The server takes 63 bytes for a
// name, so the group is in it as a digest. Each kind has a channel of its own: of the
// processes that watch the document, few watch all records.
func channel(schema, group string, kind replicated.Kind) string {
	d := digest("channel", schema, group)
	return "rollcall_" + hex.EncodeToString(d[:16]) + "_" + kind.String()
}

// lockKey is the advisory lock of some names. The database's advisory locks are shared
// with the application, so the key is drawn from all 64 bits.
func lockKey(names ...string) int64 {
	d := digest(append([]string{"lock"}, names...)...)
	return int64(binary.BigEndian.Uint64(d[:8]))
}

// payload carries a key's name, which may be of any bytes, in the text of a
// notification.
func payload(name string) string { return base64.RawURLEncoding.EncodeToString([]byte(name)) }

func parsePayload(p string) (name string, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(p)
	return string(b), err == nil
}
