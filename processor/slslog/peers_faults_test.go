package slslog_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
)

// Under each fault of the service, nothing is lost, no member commits another member's shard, and the shards
// without the fault go on.
func TestWorkersThroughFaults(t *testing.T) {
	const second = time.Second
	shard := func(n int) *int { return &n }
	on := func(op string, f slsserver.Fault) slsserver.Fault { f.Op = op; return f }
	for name, f := range map[string]struct {
		faults  []slsserver.Fault
		evict   string
		hit     []int         // the shards that may stand still; nil: all
		silence time.Duration // the longest that the others may; zero: a quarter of a second
	}{
		"slow": {silence: 600 * time.Millisecond, faults: []slsserver.Fault{
			on("PullLogs", slsserver.Fault{Latency: 200 * time.Millisecond}),
			on("ConsumerGroupUpdateCheckPoint", slsserver.Fault{Latency: 500 * time.Millisecond}),
			on("ConsumerGroupHeartBeat", slsserver.Fault{Latency: 300 * time.Millisecond}),
		}},
		"reads fail": {hit: []int{0, 1}, faults: []slsserver.Fault{
			{Op: "PullLogs", Shard: shard(0), Status: 500, Code: "InternalServerError"},
			{Op: "PullLogs", Shard: shard(1), Status: 503, Code: "ServerBusy"},
		}},
		"read quota": {hit: []int{0, 1}, faults: []slsserver.Fault{
			{Op: "PullLogs", Shard: shard(0), Status: 403, Code: "ReadQuotaExceed"},
			{Op: "PullLogs", Shard: shard(1), Status: 403, Code: "ShardReadQuotaExceed"},
		}},
		"reads hang": {hit: []int{0}, faults: []slsserver.Fault{{Op: "PullLogs", Shard: shard(0), Latency: time.Hour}}},
		"reads are cut": {hit: []int{0, 1}, faults: []slsserver.Fault{
			{Op: "PullLogs", Shard: shard(0), Cut: true}, {Op: "PullLogs", Shard: shard(1), CutBefore: true},
		}},
		"not the owner": {hit: []int{0, 1}, faults: []slsserver.Fault{
			{Op: "ConsumerGroupUpdateCheckPoint", Shard: shard(0), Status: 400, Code: "ConsumerNotMatch"},
			{Op: "ConsumerGroupUpdateCheckPoint", Shard: shard(1), Status: 404, Code: "ConsumerNotExist"},
		}},
		"commits fail": {hit: []int{}, faults: []slsserver.Fault{
			on("ConsumerGroupUpdateCheckPoint", slsserver.Fault{Code: "InternalServerError"}),
		}},
		"commits are cut": {hit: []int{}, faults: []slsserver.Fault{on("ConsumerGroupUpdateCheckPoint", slsserver.Fault{Cut: true})}},
		"commits hang":    {hit: []int{0}, faults: []slsserver.Fault{{Op: "ConsumerGroupUpdateCheckPoint", Shard: shard(0), Latency: time.Hour}}},
		"heartbeats are cut": {hit: []int{}, faults: []slsserver.Fault{
			on("ConsumerGroupHeartBeat", slsserver.Fault{Cut: true, Skip: 2, Times: 2}),
			on("ConsumerGroupHeartBeat", slsserver.Fault{CutBefore: true, Skip: 8, Times: 2}),
		}},
		"heartbeats fail": {faults: []slsserver.Fault{on("ConsumerGroupHeartBeat", slsserver.Fault{Code: "ServerBusy"})}}, // for longer than the lease
		"heartbeats of one fail": {hit: []int{0, 1, 2, 3}, silence: second, faults: []slsserver.Fault{
			{Op: "ConsumerGroupHeartBeat", Consumer: "a", Status: 500, Code: "InternalServerError"},
		}},
		"evicted":    {evict: "a", silence: second, hit: []int{0, 1, 2, 3}},
		"everything": {faults: []slsserver.Fault{slsserver.Fault{Code: "ServerBusy"}}},
	} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 4, func(t *testing.T, p *peers) {
				fast := func(s *peerSetup) { s.batch.MinPause, s.source.Pause = 50*time.Millisecond, 50*time.Millisecond }
				a, b := p.work("a", fast), p.work("b", fast)
				p.await(5*second, "a and b share the shards", shares(2, 2)(a, b))
				p.stream(2*second, 50*time.Millisecond, "")
				theirs := []int{} // what is not a's
				for _, s := range b.Status().Shards {
					theirs = append(theirs, s.ID.Number)
				}
				for _, fault := range f.faults {
					if fault.Op == "" { // all but what the test itself puts
						for _, op := range []string{
							"ConsumerGroupHeartBeat", "ConsumerGroupUpdateCheckPoint", "PullLogs", "ListShards",
							"GetCursor", "GetCheckPoint", "ListConsumerGroup",
						} {
							p.fault(on(op, fault))
						}
						continue
					}
					p.fault(fault)
				}
				if f.evict != "" {
					p.check(p.srv.Evict("p", "log", "g", f.evict))
				}
				from := time.Now()
				p.stream(10*second, 50*time.Millisecond, "")
				to := time.Now()
				p.srv.ClearFaults()
				p.stream(2*second, 50*time.Millisecond, "")
				p.done(time.Minute)
				silence := f.silence
				if silence == 0 {
					silence = second / 4
				}
				if f.hit == nil && f.silence == 0 {
					return
				}
				for n := range 4 {
					if len(f.hit) == 4 && !slices.Contains(theirs, n) || len(f.hit) < 4 && slices.Contains(f.hit, n) {
						continue
					}
					last := from
					for _, h := range append(p.did(&p.begun, "", n), handling{at: to}) {
						if h.at.Before(from) || h.at.After(to) {
							continue
						}
						if gap := h.at.Sub(last); gap > silence {
							t.Errorf("nothing of shard %d was handled for %v", n, gap)
						}
						last = h.at
					}
				}
			})
		})
	}
}

// If the group is deleted, the worker ends or creates it again, as configured. A new group begins again,
// because its checkpoints were deleted too.
func TestGroupDeletedUnderWork(t *testing.T) {
	for name, create := range map[string]bool{"ends": false, "is made anew": true} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 4, func(t *testing.T, p *peers) {
				setUp := func(s *peerSetup) { s.CreateGroup = create }
				a, b := p.work("a", setUp), p.work("b", setUp)
				p.await(5*time.Second, "a and b share the shards", shares(2, 2)(a, b))
				p.stream(2*time.Second, 100*time.Millisecond, "")
				p.check(p.admin.DeleteGroup(t.Context(), "g"))
				p.forget()
				p.stream(5*time.Second, 100*time.Millisecond, "")
				if create {
					p.done(peerTimeout)
					if g, ok := p.find("g"); !ok || g.Timeout != peerTimeout {
						t.Errorf("the group is %v", g)
					}
					return
				}
				for _, w := range []*peerWorker{a, b} {
					select {
					case <-w.done:
					default:
						t.Fatal("Run goes on without its group")
					}
					if !errors.Is(w.err, heartbeat.ErrGroupNotFound) {
						t.Errorf("Run returned %v", w.err)
					}
				}
				if _, ok := p.find("g"); ok {
					t.Error("somebody made the group")
				}
			})
		})
	}
}

// While the server is unreachable, nothing is committed. After that, the workers go on, and after a short
// outage nothing is handled twice.
func TestServerUnreachableUnderWork(t *testing.T) {
	for name, out := range map[string]time.Duration{"at once": 10 * time.Millisecond, "after the lease": 2 * peerTimeout} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 4, func(t *testing.T, p *peers) {
				a, b := p.work("a", nil), p.work("b", nil)
				p.await(5*time.Second, "a and b share the shards", shares(2, 2)(a, b))
				for range 2 {
					p.stream(2*time.Second, 100*time.Millisecond, "")
					var before, after []int
					for shard := range 4 {
						before = append(before, p.committed(shard))
					}
					p.setUnreachable(true)
					time.Sleep(out)
					p.setUnreachable(false)
					for shard := range 4 {
						after = append(after, p.committed(shard))
					}
					if !slices.Equal(before, after) {
						t.Errorf("%v logs were committed before the outage, and %v after it", before, after)
					}
					p.stream(2*peerTimeout, 100*time.Millisecond, "")
				}
				p.done(time.Minute)
				p.await(2*peerTimeout, "a and b share the shards again", shares(2, 2)(a, b))
				if twice := p.repeated(); out < peerInterval && len(twice) > 0 {
					t.Errorf("%d logs were handled twice, although no lease ended", len(twice))
				}
			})
		})
	}
}
