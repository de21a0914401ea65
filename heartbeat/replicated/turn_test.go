package replicated

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
)

// counting is a store that counts the writes that it refuses.
type counting struct {
	Store
	swaps int
}

func (s *counting) Swap(context.Context, Key, uint64, []byte) (uint64, error) {
	s.swaps++
	return 0, ErrConflict
}

func (s *counting) Get(context.Context, Key) (Value, error) { return Value{}, nil }

// A process that woke up long after it wanted to, because it was stopped, finds everybody
// silent by its own clock. What they said is on its way still, so it judges nobody yet.
func TestWhoWakesLateJudgesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const ttl = 10 * time.Second
		store := &counting{}
		c, err := New(store, Config{Group: "orders", TTL: ttl, Shards: shardset.Range("orders", 2)})
		if err != nil {
			t.Fatal(err)
		}
		doc, err := c.cfg.document(c.cfg.Shards, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		rec := state.Record{Standing: state.StandingAlive, Version: 1}
		rec.Member, rec.Instance, rec.Born = "b", 1, 1
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		must(c.adopt(Value{Data: doc, Revision: 1}))
		c.replica.Observe(time.Now(), "b", 2, &rec)
		doc, err = c.replica.Step()
		must(err)
		must(c.adopt(Value{Data: doc, Revision: 3}))
		c.turn.seeing = true

		time.Sleep(2 * ttl)
		c.late(time.Now().Add(-ttl))
		if at := c.judge(t.Context(), ttl); store.swaps != 0 || !at.Equal(time.Now().Add(ttl/10)) {
			t.Errorf("at once after waking there were %d verdicts; the next look is in %v", store.swaps, time.Until(at))
		}
		time.Sleep(ttl / 10)
		c.late(time.Now().Add(-ttl / 20)) // a little late, as any timer
		if c.judge(t.Context(), ttl); store.swaps != 1 {
			t.Errorf("a while later there were %d verdicts, want 1", store.swaps)
		}
	})
}
