package slslog_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

// keyed returns a hash key that begins with these digits.
func keyed(digits string) string { return fmt.Sprintf("%s%0*d", digits, 32-len(digits), 0) }

// ends waits for workers to return by themselves, without an error.
func (p *peers) ends(limit time.Duration, workers ...*peerWorker) {
	p.t.Helper()
	timeout := time.After(limit)
	for _, w := range workers {
		select {
		case <-w.done:
		case <-timeout:
			p.t.Fatalf("the run does not end within %v", limit)
		}
		if w.err != nil {
			p.t.Errorf("Run returned %v", w.err)
		}
	}
}

// within checks that the logs before a number were handled once, and no others.
func (p *peers) within(late int) {
	p.t.Helper()
	for n := range late {
		if times := p.times(n); times != 1 {
			p.t.Errorf("the log %d of the range was handled %d times", n, times)
		}
	}
	for _, h := range p.did(&p.handled, "", -1) {
		if h.n >= late {
			p.t.Errorf("the log %d was handled, which came after the bound", h.n)
		}
	}
}

// A bounded run reads exactly its range and then returns, whatever our clock shows. Some shards are split
// during the range. In an ordered group, a parent may have been read to its end before the split, so that
// its position does not move any more. Each case runs with and without the list of shards.
func TestBoundedRunReadsItsRange(t *testing.T) {
	for _, skew := range []time.Duration{0, 30 * time.Second, -30 * time.Second} {
		for n := range 4 {
			ordered, refused := n%2 == 0, n/2 == 0
			t.Run(fmt.Sprintf("%v ordered %v refused %v", skew, ordered, refused), func(t *testing.T) {
				cfg := slsserver.Config{Clock: func() time.Time { return time.Now().Add(skew) }}
				peersTestOn(t, cfg, 2, ordered, func(t *testing.T, p *peers) {
					if refused {
						p.fault(noList)
					}
					p.add(0, 20, "")
					p.add(1, 20, "")
					before := p.work("x", nil)
					p.done(5 * time.Second)
					before.end()
					time.Sleep(time.Minute)
					p.split(0, "40") // into 2 and 3
					p.addKey(keyed("00"), 10, "")
					p.addKey(keyed("40"), 10, "")
					time.Sleep(time.Minute)

					bound := time.Now().Truncate(time.Second).Add(20 * time.Second)
					setUp := func(s *peerSetup) { s.Finite, s.batch.Until = true, bound.Add(skew) }
					a, b := p.work("a", setUp), p.work("b", setUp)
					time.Sleep(10 * time.Second)
					p.split(2, "20") // into 4 and 5
					for _, key := range []string{"00", "20", "40", "80"} {
						p.addKey(keyed(key), 5, "")
					}
					time.Sleep(time.Until(bound.Add(-time.Millisecond)))
					p.addKey(keyed("20"), 3, "")
					p.addKey(keyed("80"), 3, "")
					time.Sleep(time.Millisecond)
					late := p.addKey(keyed("00"), 3, "")
					p.addKey(keyed("80"), 3, "")
					p.ends(time.Minute, a, b)
					p.within(late)
				})
			})
		}
	}
}

// The whole range is in the past. Parents that were read before their split have reached the bound at once,
// and so have parents that never had a log.
func TestBoundedRunOfThePast(t *testing.T) {
	peersTestOn(t, peersConfig, 2, true, func(t *testing.T, p *peers) {
		p.add(0, 10, "")
		before := p.work("x", nil)
		p.done(5 * time.Second)
		before.end()
		p.split(0, "40") // into 2 and 3
		p.split(1, "c0") // into 4 and 5
		p.addKey(keyed("40"), 1, "slow")
		p.split(3, "60") // into 6 and 7
		for _, key := range []string{"00", "40", "60", "80", "c0"} {
			p.addKey(keyed(key), 10, "")
		}
		time.Sleep(time.Minute)
		until := time.Now().Truncate(time.Second)
		time.Sleep(time.Second)
		late := p.addKey(keyed("60"), 10, "")
		setUp := func(s *peerSetup) {
			s.Finite, s.batch.Until = true, until
			s.handle = func(_ context.Context, b *batch.Batch[slslog.Group], _ []int) error {
				if b.ID().Number == 3 { // its children wait longer than others have nothing to do
					time.Sleep(4 * peerTimeout)
				}
				return nil
			}
		}
		p.ends(2*time.Minute, p.work("a", setUp), p.work("b", setUp))
		p.within(late)
	})
}

// split splits a shard where a key begins with some digits.
func (p *peers) split(shard int, digits string) {
	p.t.Helper()
	_, err := p.admin.SplitShard(p.t.Context(), shard, keyed(digits))
	p.check(err)
}
