package replicated

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// glance is a version of a record that somebody has looked at, and when it was first
// found.
type glance struct {
	revision uint64
	at       time.Time
}

// look has a process that is not shown all records see to it that nobody dies unnoticed:
// those who are may have died as well, or their watches do not work. Twice in a TTL it
// reads the record of the member behind each of its own, in a ring by name, so that
// somebody looks at each of them, at one small read a member. If one is dead, it has all
// records shown to it for a while. A verdict is as safe as any other, because
// it is a swap of the version that has not changed. A member without a record is found the
// same way, and that is for all stores: a clock knows nothing of it.
func (c *Client) look(ctx context.Context, ttl time.Duration) time.Time {
	now := time.Now()
	c.mu.Lock()
	t := &c.turn
	if t.seeing {
		t.lookAt, t.looked = time.Time{}, nil
		c.mu.Unlock()
		return time.Time{}
	}
	due := !t.lookAt.IsZero() && !now.Before(t.lookAt)
	if due || t.lookAt.IsZero() {
		t.lookAt = now.Add(jitter(ttl / 2))
	}
	at := t.lookAt
	var behind []string
	if due {
		behind = c.replica.Behind(c.mine)
	}
	c.mu.Unlock()
	if !due {
		return at
	}
	silent := c.lookAt(ctx, behind)
	if len(silent) > 0 {
		// Those who should have noticed have not: there may be more. They are seen at
		// once by who is shown all records.
		c.mu.Lock()
		t.until = now.Add(3 * ttl)
		c.mu.Unlock()
	}
	c.pass(ctx, silent)
	return at
}

// lookAt reads the records of some members, and returns the verdicts on those that have
// not changed for a TTL.
func (c *Client) lookAt(ctx context.Context, members []string) (due []state.Tombstone) {
	var mu sync.Mutex // guards due and seen
	seen := map[string]glance{}
	var g errgroup.Group
	g.SetLimit(maxVerdicts)
	for _, name := range members {
		g.Go(func() error {
			v, err := c.store.Get(ctx, Key{Kind: KindRecord, Name: name})
			if err != nil { // nothing is known
				c.mu.Lock()
				old, ok := c.turn.looked[name]
				c.mu.Unlock()
				mu.Lock()
				defer mu.Unlock()
				if ok {
					seen[name] = old
				}
				return nil
			}
			verdict, at, dead := c.weigh(name, v)
			mu.Lock()
			defer mu.Unlock()
			seen[name] = at
			if dead {
				due = append(due, verdict)
			}
			return nil
		})
	}
	_ = g.Wait() // none fails
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn.looked = seen
	return due
}

// weigh compares a record with what was found before. One that says that its instance is
// over, which the document does not know, is learnt.
func (c *Client) weigh(name string, v Value) (verdict state.Tombstone, at glance, dead bool) {
	now := time.Now()
	rec, err := state.DecodeRecord(name, v.Data)
	c.mu.Lock()
	if v.Data == nil {
		v.Revision = 0
	}
	at = c.turn.looked[name]
	if at.at.IsZero() || at.revision != v.Revision {
		at = glance{revision: v.Revision, at: now}
	}
	verdict, alive := c.replica.Expire(name, v.Revision, &rec)
	silent, known := now.After(at.at.Add(c.replica.Expiry())), c.replica.Instance(name) != 0
	c.mu.Unlock()
	if alive || !known {
		return verdict, at, alive && silent
	}
	switch {
	case err != nil:
	case rec.Standing != state.StandingAlive:
		c.learn(Key{Kind: KindRecord, Name: name}, v)
	default: // a later instance, that may have died before it was a member
		return state.Tombstone{Member: name, Instance: rec.Instance, Revision: v.Revision}, at, silent
	}
	return verdict, at, false
}
