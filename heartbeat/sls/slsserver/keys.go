package slsserver

import (
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/accesskey"
	"github.com/rollcall-go/rollcall/shardset"
)

// Key is an access key that may sign requests.
type Key struct {
	ID     string
	Secret heartbeat.Secret
	// Token makes the key a temporary one: requests must carry the token as x-acs-security-token.
	// Empty means a permanent key.
	Token heartbeat.Secret
	// Expires is when the key expires. Zero means never.
	Expires time.Time
	// Projects are the projects that the key may use. Nil means all.
	Projects []string
}

// keyring has the keys by their ID.
type keyring map[string]Key

func newKeyring(keys []Key) keyring {
	ring := make(keyring, len(keys))
	for _, k := range keys {
		k.Projects = slices.Clone(k.Projects)
		ring[k.ID] = k
	}
	return ring
}

func checkKeys(faults *shardset.ConfigError, field string, keys []Key) {
	seen := map[string]bool{}
	for i, k := range keys {
		at := fmt.Sprintf("%s[%d]", field, i)
		if err := accesskey.Check(k.ID, k.Secret.Reveal(), k.Token.Reveal()); err != nil {
			faults.Add(at, "(%q) is no key: %w", excerpt(k.ID, maxShown), err)
		} else if seen[k.ID] {
			faults.Add(at, "has the ID %q, as another key has", k.ID)
		}
		seen[k.ID] = true
	}
}

// SetKeys replaces the keys, for tests of key rotation. It refuses bad keys as New does. It
// does not turn the verification of signatures on or off: a server that has keys refuses an
// empty list, and a server without keys refuses any.
func (s *Server) SetKeys(keys []Key) error {
	faults := &shardset.ConfigError{Config: "slsserver.Config"}
	checkKeys(faults, "Keys", keys)
	if (len(keys) == 0) != (len(*s.keys.Load()) == 0) {
		faults.Add("Keys", "has %d keys; the verification of signatures cannot be turned on or off", len(keys))
	}
	if err := faults.Err(); err != nil {
		return err
	}
	ring := newKeyring(keys)
	s.keys.Store(&ring)
	return nil
}
