package slslog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/slslog"
	"github.com/rollcall-go/rollcall/shardset"
)

// D09 elsewhere: if a filter dropped a whole page, a bounded run ended there and left out most of its range.
func TestD09BoundedRunWithFilter(t *testing.T) {
	for name, o := range map[string]slslog.Options{"all": {}, "query": {Query: fewOnly}, "processor": {Processor: "few"}} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 2, func(t *testing.T, p *peers) {
				for range 12 {
					p.add(0, 80, "many") // pages of nothing, also the last ones
					p.add(0, 3, "few")
				}
				p.add(0, 200, "many")
				p.add(1, 200, "many")
				time.Sleep(time.Second)
				until := time.Now()
				setUp := func(s *peerSetup) {
					s.Finite, s.source = true, o
					s.batch.Until, s.batch.BatchItems = until, 20
				}
				a, b := p.work("a", setUp), p.work("b", setUp)
				time.Sleep(time.Second)
				late := p.add(0, 5, "few")
				p.add(1, 5, "few")
				for _, w := range []*peerWorker{a, b} {
					select {
					case <-w.done:
					case <-time.After(time.Minute):
						t.Fatal("the run does not end")
					}
					if w.err != nil {
						t.Errorf("Run returned %v", w.err)
					}
				}
				for _, n := range p.missing("few") {
					if n < late {
						t.Errorf("the log %d was left out", n)
					}
				}
				for _, h := range p.did(&p.handled, "", -1) {
					if h.n >= late {
						t.Errorf("the log %d was handled, which came after the bound", h.n)
					}
				}
				if p.committed(0) != 1196 || p.committed(1) != 200 {
					t.Errorf("%d and %d logs are committed, want 1196 and 200", p.committed(0), p.committed(1))
				}
				p.work("c", func(s *peerSetup) { s.source = o })
				p.await(2*peerTimeout, "the next run goes on", func() bool { return len(p.missing("few")) == 0 })
			})
		})
	}
}

// D17 elsewhere: if the data at a position had expired, it was requested for ever, or the worker went to the
// beginning or the end of the shard without a message.
func TestD17ExpiredPositions(t *testing.T) {
	lag := func(t *testing.T, p *peers) {
		a := p.work("a", nil)
		p.add(0, 5, "")
		p.add(1, 5, "")
		p.done(2 * time.Second)
		a.end()
		p.add(0, 10, "") // numbers 10 to 19
		p.check(p.srv.Expire("p", "log", 0, 8))
	}
	t.Run("stop", func(t *testing.T) {
		peersTest(t, 2, func(t *testing.T, p *peers) {
			lag(t, p)
			b := p.work("b", nil)
			p.await(2*peerTimeout, "b has both shards", func() bool { return len(b.Status().Shards) == 2 })
			before := len(p.made("b", "logs"))
			p.stream(time.Minute, time.Second, "")
			run := b.Status().Shards[0]
			if run.State != coordinator.ShardHalted || !errors.Is(run.LastError, batch.ErrExpired) || !errors.Is(run.LastError, sls.ErrInvalidCursor) {
				t.Errorf("the shard is %v: %v", run.State, run.LastError)
			}
			if n := len(p.did(&p.begun, "b", 0)); n != 0 {
				t.Errorf("%d logs were handled after a gap that was not allowed", n)
			}
			pulls := 0
			for _, c := range p.made("b", "logs")[before:] {
				if c.shard == 0 {
					pulls++
				}
			}
			if pulls > 10 { // within two seconds, to see whether the position stays expired
				t.Errorf("it was read from %d times", pulls)
			}
			if n := len(p.did(&p.handled, "b", 1)); n < 58 {
				t.Errorf("%d logs of the other shard were handled, want some 60", n)
			}
		})
	})
	for name, at := range map[string]batch.Initial{"earliest": batch.Earliest(), "latest": batch.Latest()} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 2, func(t *testing.T, p *peers) {
				lag(t, p)
				var gaps []processor.Gap
				b := p.work("b", func(s *peerSetup) {
					s.batch.Expired = at
					s.batch.OnGap = func(_ context.Context, _ shardset.ID, g processor.Gap) error {
						gaps = append(gaps, g)
						return nil
					}
				})
				p.await(2*peerTimeout, "b has both shards", shares(2)(b))
				p.await(peerTimeout, "the gap is believed", func() bool { return b.Status().Counters.Gaps > 0 })
				time.Sleep(time.Second)
				next := p.add(0, 2, "")
				time.Sleep(time.Second)
				want := []int{10, 11, 12} // expired
				if name == "latest" {
					want = []int{10, 11, 12, 13, 14, 15, 16, 17, 18, 19}
				}
				if got := p.missing(""); !slices.Equal(got, want) {
					t.Errorf("%v were not handled, want %v", got, want)
				}
				if len(gaps) != 1 || position(string(gaps[0].Resumed))-position(string(gaps[0].Lost)) != int64(len(want)) {
					t.Errorf("reported the gaps %+v", gaps)
				}
				if c := b.Status().Counters; c.Gaps != 1 || p.times(next+1) != 1 {
					t.Errorf("counted %d gaps; what came later was handled %d times", c.Gaps, p.times(next+1))
				}
			})
		})
	}
}

// Elsewhere, if all data of a shard expired before it was read, the shard was tried for ever, or counted as
// read without a message.
func TestAShardThatVanishesUnread(t *testing.T) {
	for name, expired := range map[string]batch.Initial{"stop": {}, "go on": batch.Earliest()} {
		t.Run(name, func(t *testing.T) {
			peersTestOn(t, peersConfig, 2, true, func(t *testing.T, p *peers) {
				a := p.work("a", func(s *peerSetup) {
					s.client = func(c *sls.Config) { c.Ordered = true }
					s.batch.Expired, s.batch.BatchItems, s.batch.Prefetch = expired, 1, -1
					s.handle = func(_ context.Context, b *batch.Batch[slslog.Group], n []int) error {
						if n[0] == 5 {
							time.Sleep(5 * time.Second) // the reading has to wait for it
						}
						return nil
					}
				})
				p.await(2*peerTimeout, "a has both shards", shares(2)(a))
				p.add(0, 5, "")
				p.done(2 * time.Second)
				p.add(0, 10, "") // numbers 5 to 14
				time.Sleep(2 * time.Second)
				_, err := p.admin.SplitShard(t.Context(), 0, fmt.Sprintf("40%030x", 0))
				p.check(err)
				p.check(p.srv.Expire("p", "log", 0, -1))
				p.addKey(fmt.Sprintf("%032x", 0), 5, "")
				p.addKey(fmt.Sprintf("50%030x", 0), 5, "")
				p.await(time.Minute, "the children were read", func() bool { return len(p.missing("")) == 9 })
				if got := p.missing(""); !slices.Equal(got, []int{6, 7, 8, 9, 10, 11, 12, 13, 14}) {
					t.Errorf("%v were not handled", got)
				}
				time.Sleep(10 * time.Second)
				if c := a.Status().Counters; c.Gaps != 1 || len(a.Status().Shards) != 3 {
					t.Errorf("counted %d gaps, want 1; a has %d shards", c.Gaps, len(a.Status().Shards))
				}
			})
		})
	}
}

// D18 elsewhere: the end of a shard was not committed if a filter had dropped everything, or if the shard
// never had data. In an ordered group, its children waited for ever.
func TestD18ChildrenOfFilteredParents(t *testing.T) {
	for name, o := range map[string]slslog.Options{"all": {}, "query": {Query: fewOnly}, "processor": {Processor: "few"}} {
		for _, data := range []int{0, 30} {
			t.Run(fmt.Sprintf("%s, %d logs", name, data), func(t *testing.T) {
				peersTestOn(t, peersConfig, 2, true, func(t *testing.T, p *peers) {
					p.add(0, data, "many")
					setUp := func(s *peerSetup) {
						s.source = o
						s.client = func(c *sls.Config) { c.Ordered = true }
					}
					a, b := p.work("a", setUp), p.work("b", setUp)
					p.await(5*time.Second, "a and b share the shards", shares(1, 1)(a, b))
					time.Sleep(2 * time.Second)
					_, err := p.admin.SplitShard(t.Context(), 0, fmt.Sprintf("40%030x", 0))
					p.check(err)
					p.addKey(fmt.Sprintf("%032x", 0), 5, "few")
					p.addKey(fmt.Sprintf("50%030x", 0), 5, "few")
					split := time.Now()
					took := p.await(time.Minute, "the children were read", func() bool { return len(p.missing("few")) == 0 })
					if took > 8*time.Second {
						t.Errorf("the children were read %v after the split", took)
					}
					state, err := p.srv.Group("p", "log", "g")
					p.check(err)
					if !slices.Equal(state.Complete, []int{0}) {
						t.Errorf("the complete shards: %v", state.Complete)
					}
					for _, c := range p.made("", "logs") {
						if c.shard > 1 && c.at.Before(split) {
							t.Errorf("the child %d was read before its parent was over", c.shard)
						}
					}
				})
			})
		}
	}
}

// Splits and merges lose nothing, in order or not, while workers come and go.
func TestShardsChangeUnderWork(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run(fmt.Sprintf("ordered: %v", ordered), func(t *testing.T) {
			peersTestOn(t, peersConfig, 2, ordered, func(t *testing.T, p *peers) {
				var mu sync.Mutex
				ended := map[shardset.ID]bool{}
				setUp := func(s *peerSetup) {
					s.client = func(c *sls.Config) { c.Ordered = ordered }
					s.batch.BatchItems = 5
					s.handle = func(context.Context, *batch.Batch[slslog.Group], []int) error {
						time.Sleep(50 * time.Millisecond)
						return nil
					}
					s.Hooks = coordinator.Hooks{Stopped: func(e coordinator.ShardEvent) {
						mu.Lock()
						defer mu.Unlock()
						if e.Outcome == shardset.OutcomeClosed {
							ended[e.ID] = true
						}
					}}
				}
				a := p.work("a", setUp)
				p.stream(2*time.Second, 100*time.Millisecond, "")
				p.add(0, 200, "")                                                       // what the children have to wait for
				_, err := p.admin.SplitShard(t.Context(), 0, fmt.Sprintf("40%030x", 0)) // into 2 and 3
				p.check(err)
				b := p.work("b", setUp)
				p.stream(8*time.Second, 100*time.Millisecond, "")
				_, err = p.admin.MergeShards(t.Context(), 2) // into 4
				p.check(err)
				p.stream(4*time.Second, 100*time.Millisecond, "")
				a.end()
				p.stream(12*time.Second, 100*time.Millisecond, "")
				p.await(2*peerTimeout, "every log was handled", func() bool { return len(p.missing("")) == 0 })
				state, err := p.srv.Group("p", "log", "g")
				p.check(err)
				if !slices.Equal(state.Complete, []int{0, 2, 3}) || len(b.Status().Shards) != 2 {
					t.Errorf("complete are %v; b has %d shards, want 0, 2 and 3, and 2 shards", state.Complete, len(b.Status().Shards))
				}
				if ordered {
					var order []int // of what has the lowest hash key: it was in 0, 2, 4
					for _, h := range p.did(&p.handled, "", -1) {
						if h.shard != 1 && !slices.Contains(order, h.n) {
							order = append(order, h.n)
						}
					}
					if !slices.IsSorted(order) {
						t.Errorf("the logs of one key were handled in the order %v", order)
					}
				}
			})
		})
	}
}
