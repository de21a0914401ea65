package slsserver

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/accesskey"
)

// Key is an access key that may sign requests.
type Key struct {
	ID     string
	Secret heartbeat.Secret
	// Token, if it is not empty, makes the key a temporary one: requests have to carry
	// the token as x-acs-security-token.
	Token heartbeat.Secret
	// Expires is when a temporary key ends. Zero means never.
	Expires time.Time
	// Projects are those the key is good for. Nil means all.
	Projects []string
}

type keyring map[string]Key

func newKeyring(keys []Key) (keyring, error) {
	ring := keyring{}
	var faults []error
	for _, k := range keys {
		if err := accesskey.Check(k.ID, k.Secret.Reveal(), k.Token.Reveal()); err != nil {
			faults = append(faults, fmt.Errorf("the key %q: %w", k.ID, err))
		} else if _, twice := ring[k.ID]; twice {
			faults = append(faults, fmt.Errorf("the key %q is listed twice", k.ID))
		}
		k.Projects = slices.Clone(k.Projects)
		ring[k.ID] = k
	}
	return ring, errors.Join(faults...)
}

// SetKeys replaces the keys, for tests of rotation. It refuses an empty list on a server that
// had keys, which would open it to everybody, and does not turn verification on.
func (s *Server) SetKeys(keys []Key) error {
	ring, err := newKeyring(keys)
	if err != nil {
		return fmt.Errorf("slsserver: %w", err)
	}
	if (len(ring) == 0) != (len(*s.keys.Load()) == 0) {
		return errors.New("slsserver: whether signatures are verified is fixed at the start")
	}
	s.keys.Store(&ring)
	return nil
}
