package slslog_test

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

// D14 elsewhere: each batch that was read again, or ended with an unexpected error, leaked part of the memory
// budget, until nothing was read any more.
func TestD14BudgetDoesNotLeak(t *testing.T) {
	peersTest(t, 4, func(t *testing.T, p *peers) {
		budget := batch.NewBudget(64<<10, 4)
		failures := 0
		setUp := func(s *peerSetup) {
			s.batch.Budget, s.batch.BatchItems = budget, 4
			s.batch.Retry.Max = time.Second
			s.handle = func(ctx context.Context, b *batch.Batch[slslog.Group], _ []int) error {
				if b.ID().Number == 0 && b.Attempt < 4 {
					if failures++; failures%2 == 0 {
						panic("poison")
					}
					return errSink
				}
				return nil
			}
		}
		for shard := range 4 {
			p.add(shard, 100, "")
		}
		a := p.work("a", setUp)
		time.Sleep(5 * time.Second)
		if _, err := a.end(); err != nil || budget.Free() != 64<<10 || budget.FreeReads() != 4 {
			t.Errorf("Run returned %v, and %d of 65536 bytes and %d of 4 reads are free", err, budget.Free(), budget.FreeReads())
		}
		b := p.work("b", setUp)
		p.done(5 * time.Minute)
		b.end()
		if failures < 30 || budget.Free() != 64<<10 || budget.FreeReads() != 4 {
			t.Errorf("%d failures, %d of 65536 bytes and %d of 4 reads are free", failures, budget.Free(), budget.FreeReads())
		}
	})
}

// D19 elsewhere: with a stored processor, only two pages a second were read. A page from which it had dropped
// logs counted as the end of the shard.
func TestD19FiltersAreNotPaced(t *testing.T) {
	for name, o := range map[string]slslog.Options{"query": {Query: fewOnly}, "processor": {Processor: "few"}} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 1, func(t *testing.T, p *peers) {
				for range 30 {
					p.add(0, 39, "many")
					p.add(0, 1, "few")
				}
				p.fault(slsserver.Fault{Op: "PullLogs", Latency: 5 * time.Millisecond})
				p.work("a", func(s *peerSetup) {
					s.source, s.batch.BatchItems = o, 10
				})
				took := p.await(time.Minute, "all was read and committed", func() bool {
					return len(p.missing("few")) == 0 && p.committed(0) == 1200
				})
				if n := len(p.made("a", "logs")); n < 100 || took > 3*time.Second {
					t.Errorf("%d pages took %v", n, took)
				}
			})
		})
	}
}

// D20 elsewhere: a shard that waited for data occupied one of the concurrent reads, so idle shards held up
// busy ones.
func TestD20WaitingTakesNoTurn(t *testing.T) {
	peersTest(t, 8, func(t *testing.T, p *peers) {
		p.add(7, 1000, "")
		p.fault(slsserver.Fault{Op: "PullLogs", Latency: 5 * time.Millisecond})
		shard := 6
		throttled := slsserver.Fault{Op: "PullLogs", Code: "ReadQuotaExceed"}
		throttled.Shard = &shard
		p.fault(throttled)
		p.work("a", func(s *peerSetup) {
			s.batch.Budget, s.batch.BatchItems = batch.NewBudget(1<<20, 1), 10
		})
		took := p.await(time.Minute, "all was handled", func() bool { return len(p.missing("")) == 0 })
		if took > 3*time.Second {
			t.Errorf("100 pages of 5 ms each took %v, beside six idle shards and one that is throttled", took)
		}
	})
}

// D21 elsewhere: a slow heartbeat held a lock that all shards needed to go on.
func TestD21SlowHeartbeatsDelayNothing(t *testing.T) {
	peersTest(t, 2, func(t *testing.T, p *peers) {
		a := p.work("a", func(s *peerSetup) { s.batch.MinPause, s.source.Pause = 50*time.Millisecond, 50*time.Millisecond })
		p.await(time.Second, "a has both shards", shares(2)(a))
		p.fault(slsserver.Fault{Op: "ConsumerGroupHeartBeat", Skip: 3, Times: 2, Latency: time.Hour})
		p.fault(slsserver.Fault{Op: "ConsumerGroupHeartBeat", Latency: peerInterval/3 - 10*time.Millisecond})
		p.stream(5*peerTimeout, 50*time.Millisecond, "")
		last := map[int]time.Time{}
		for _, h := range p.did(&p.handled, "a", -1) {
			if gap := h.at.Sub(last[h.shard]); !last[h.shard].IsZero() && gap > 250*time.Millisecond {
				t.Errorf("nothing of shard %d was handled for %v", h.shard, gap)
			}
			last[h.shard] = h.at
		}
		p.done(2 * time.Second)
		if c := a.Status().Counters; c.HeartbeatsFailed != 2 || c.LeasesLost != 0 {
			t.Errorf("%d heartbeats failed, %d leases were lost", c.HeartbeatsFailed, c.LeasesLost)
		}
	})
}
