package slslog_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

var errSink = errors.New("the sink is out")

// poison returns a handler that calls f if the log n is in the batch.
func poison(n int, f func() error) func(context.Context, *batch.Batch[slslog.Group], []int) error {
	return func(_ context.Context, _ *batch.Batch[slslog.Group], logs []int) error {
		if slices.Contains(logs, n) {
			return f()
		}
		return nil
	}
}

// D01 elsewhere: a panic ended the whole program. Before that, the shutdown hook committed the batch that
// panicked, so the batch was lost.
func TestD01PanicIsContained(t *testing.T) {
	peersTest(t, 4, func(t *testing.T, p *peers) {
		p.stream(time.Second, 250*time.Millisecond, "")
		bad := len(p.put)
		a := p.work("a", func(s *peerSetup) {
			s.batch.BatchItems = 1
			s.handle = poison(bad, func() error { panic("poison") })
		})
		p.await(time.Second, "all was committed", func() bool { return p.committed(0) == 4 && p.committed(3) == 4 })
		p.add(0, 3, "")
		p.stream(10*time.Second, time.Second, "")
		if n := p.committed(0); n != 4 {
			t.Errorf("%d logs are committed of the shard whose fifth panics, want 4", n)
		}
		for shard := 1; shard < 4; shard++ {
			if n := len(p.did(&p.handled, "a", shard)); n != 14 {
				t.Errorf("%d logs of shard %d were handled, want all 14", n, shard)
			}
		}
		if c := a.Status().Counters; c.Panics != 0 { // they are the batch's failures, and no restarts
			t.Errorf("%d panics reached the coordinator", c.Panics)
		}
		if _, err := a.end(); err != nil || p.committed(0) != 4 {
			t.Errorf("Run returned %v, and %d logs are committed, want 4", err, p.committed(0))
		}
		p.work("a", nil)
		p.done(10 * time.Second)
	})
}

// D02 elsewhere: the hook for a handover or a shutdown committed the last batch, even if it had failed. So
// each deployment lost one batch of each shard.
func TestD02HandOverDoesNotAcknowledge(t *testing.T) {
	for name, fail := range map[string]func(b *batch.Batch[slslog.Group]){
		"failed before": func(*batch.Batch[slslog.Group]) {},
		"fails then":    func(b *batch.Batch[slslog.Group]) { <-b.Revoked() },
	} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 2, func(t *testing.T, p *peers) { handOver(t, p, fail) })
		})
	}
}

func handOver(t *testing.T, p *peers, fail func(b *batch.Batch[slslog.Group])) {
	broken := func(s *peerSetup) {
		s.handle = func(_ context.Context, b *batch.Batch[slslog.Group], logs []int) error {
			if slices.Max(logs) < 6 {
				return nil
			}
			fail(b)
			return errSink
		}
	}
	p.stream(3*time.Second, time.Second, "")
	a := p.work("a", broken)
	p.await(2*time.Second, "all was committed", func() bool { return p.committed(0) == 3 && p.committed(1) == 3 })
	p.add(0, 2, "")
	p.add(1, 2, "")
	time.Sleep(time.Second)
	b := p.work("b", broken)
	p.await(5*time.Second, "a and b share the shards", shares(1, 1)(a, b))
	time.Sleep(time.Second)
	a.end()
	p.await(2*peerTimeout, "b has both shards", shares(2)(b))
	time.Sleep(time.Second)
	b.end()
	for shard := range 2 {
		if n := p.committed(shard); n != 3 {
			t.Errorf("%d logs of shard %d are committed, want the 3 that were handled", n, shard)
		}
	}
	p.work("b", nil)
	p.done(10 * time.Second)
}

// D04 elsewhere: a batch that had failed was skipped, and the next commit covered it.
func TestD04FailedBatchComesAgain(t *testing.T) {
	peersTest(t, 1, func(t *testing.T, p *peers) {
		p.add(0, 6, "")
		failures := 0
		p.work("a", func(s *peerSetup) {
			s.batch.BatchItems = 1
			s.handle = poison(2, func() error {
				if n := p.committed(0); n > 2 {
					t.Errorf("%d logs are committed while the third fails", n)
				}
				if failures++; failures <= 3 {
					return errSink
				}
				return nil
			})
		})
		p.done(time.Minute)
		var order []int
		for _, h := range p.did(&p.handled, "", 0) {
			order = append(order, h.n)
		}
		if !slices.Equal(order, []int{0, 1, 2, 3, 4, 5}) || failures != 4 {
			t.Errorf("handled %v after %d attempts", order, failures)
		}
	})
}

// D22 elsewhere: a commit used the position of the last read, so it covered batches that were not
// acknowledged.
func TestD22ReadIsNotAcknowledged(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Second} { // of an attempt
		peersTest(t, 2, func(t *testing.T, p *peers) {
			a := p.work("a", func(s *peerSetup) {
				s.DrainTimeout = 2 * time.Second
				s.batch.BatchItems, s.batch.CommitItems, s.batch.Timeout = 1, 1, timeout
				s.handle = func(ctx context.Context, _ *batch.Batch[slslog.Group], _ []int) error {
					<-ctx.Done()
					return nil // which is too late
				}
			})
			p.stream(30*time.Second, time.Second, "")
			a.end()
			if calls := p.made("a", "checkpoint"); len(calls) != 0 {
				t.Errorf("%d commits of what was not handled, the first to %d", len(calls), p.committed(calls[0].shard))
			}
			p.work("b", nil)
			p.done(30 * time.Second)
		})
	}
}

// D25 elsewhere: a bad batch was tried twenty times a second for ever. Each time a line was logged, and no
// hook was called. (TestD25BodiesAreDrained of package sls covers the connections that leaked.)
func TestD25PoisonIsPaced(t *testing.T) {
	peersTest(t, 2, func(t *testing.T, p *peers) {
		p.add(0, 1, "")
		logs, seen := observer.New(zap.InfoLevel)
		var told atomic.Int64 // on the goroutine of the shard
		p.work("a", func(s *peerSetup) {
			s.Logger = zap.New(logs)
			s.handle = poison(0, func() error { return errSink })
			s.batch.OnError = func(context.Context, batch.Failure) batch.Action { told.Add(1); return batch.ActionRetry }
		})
		for range 600 {
			p.add(1, 1, "")
			time.Sleep(time.Second)
		}
		attempts := len(p.did(&p.begun, "a", 0))
		if attempts < 10 || attempts > 60 || int(told.Load()) != attempts {
			t.Errorf("%d attempts in ten minutes, and the hook heard of %d", attempts, told.Load())
		}
		if n := seen.Len(); n > 2*attempts+20 {
			t.Errorf("%d lines in the log for %d attempts", n, attempts)
		}
		if n := len(p.did(&p.handled, "a", 1)); n < 599 {
			t.Errorf("%d of 600 logs of the other shard were handled", n)
		}
	})
}

// D26 elsewhere: the number of each group was counted back from the end of the page, even if a filter had
// dropped groups. Sample programs use these numbers to identify logs.
func TestD26CursorsOfGroups(t *testing.T) {
	for name, o := range map[string]slslog.Options{
		"all": {}, "query": {Query: fewOnly}, "processor": {Processor: "few"},
	} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 1, func(t *testing.T, p *peers) {
				want := map[int]int64{}
				begin, err := p.admin.Cursor(t.Context(), 0, "begin")
				p.check(err)
				for i := range 40 {
					n := p.add(0, 1, []string{"few", "many"}[i%2])
					want[n] = position(begin) + int64(i)
				}
				w := p.work("a", func(s *peerSetup) {
					s.source = o
					s.handle = func(_ context.Context, b *batch.Batch[slslog.Group], logs []int) error {
						for i, g := range b.Items {
							got, ok := g.Cursor()
							if name == "all" && (!ok || got != want[logs[i]]) || name != "all" && ok {
								return processor.Fatal(errors.New("the cursor of a group is not its own"))
							}
						}
						return nil
					}
				})
				p.await(5*time.Second, "all was handled", func() bool { return len(p.missing("few")) == 0 && p.committed(0) == 40 })
				if _, err := w.end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
