package slslog_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/slslog"
	"github.com/rollcall-go/rollcall/shardset"
)

// D07 elsewhere: commits were forced. A worker that had been disconnected for long moved the position of the
// next owner back.
func TestD07CommitsAreNotForced(t *testing.T) {
	peersTest(t, 1, func(t *testing.T, p *peers) {
		p.add(0, 1, "")
		a := p.work("a", func(s *peerSetup) {
			s.handle = func(context.Context, *batch.Batch[slslog.Group], []int) error {
				time.Sleep(5 * peerTimeout) // and its context is not looked at
				return nil
			}
		})
		p.await(time.Second, "a is at it", func() bool { return len(p.did(&p.begun, "a", 0)) == 1 })
		a.line.setFault(swallow)
		b := p.work("b", nil)
		p.await(2*peerTimeout, "b has the shard", shares(1)(b))
		p.add(0, 5, "")
		p.done(5 * time.Second)
		a.line.setFault(nil)
		time.Sleep(5 * peerTimeout)
		if n := p.committed(0); n != 6 {
			t.Errorf("%d logs are committed, want b's 6", n)
		}
		// What the client says must be true of any owner.
		owner := processor.Owner{Member: "a", Lease: shardset.Lease{ID: shardset.ID{Log: "log"}}}
		if err := p.admin.Save(t.Context(), owner, processor.Position(p.made("b", "checkpoint")[0].cursor)); !errors.Is(err, processor.ErrNotOwner) {
			t.Errorf("a commit of a member that does not hold the shard: %v", err)
		}
	})
}

// D08 elsewhere: at a stop, heartbeats ended before the last batches, so other members got shards that were
// still being handled.
func TestD08HeartbeatsDuringDrain(t *testing.T) {
	peersTest(t, 2, func(t *testing.T, p *peers) {
		slow := func(s *peerSetup) {
			s.handle = func(context.Context, *batch.Batch[slslog.Group], []int) error {
				time.Sleep(4 * peerTimeout)
				return nil
			}
		}
		a, b := p.work("a", slow), p.work("b", nil)
		p.await(5*time.Second, "a and b share the shards", shares(1, 1)(a, b))
		p.add(0, 1, "")
		p.add(1, 1, "")
		p.await(2*time.Second, "a is at it", func() bool { return len(p.did(&p.begun, "a", -1)) == 1 })
		start := time.Now()
		if _, err := a.end(); err != nil {
			t.Errorf("Run returned %v", err)
		}
		last := start
		for _, c := range p.made("a", "heartbeat") {
			if c.at.After(start) {
				// They are no more than are needed, because the last one decides how long
				// others wait for the shards.
				if gap := c.at.Sub(last); gap > peerTimeout*2/3 {
					t.Errorf("%v without a heartbeat during the drain", gap)
				}
				last = c.at
			}
		}
		if last.Before(start.Add(3 * peerTimeout)) {
			t.Errorf("the last heartbeat came %v into a drain of %v", last.Sub(start), 4*peerTimeout)
		}
		p.done(2 * peerTimeout)
		if twice := p.repeated(); twice != nil {
			t.Errorf("%d logs were handled twice: %v", len(twice), twice)
		}
		p.await(2*peerTimeout, "b has both shards", shares(2)(b))
	})
}

// D08 elsewhere: a worker whose heartbeats were lost went on for long after the service had granted its
// shards to others, and committed.
func TestD08NoWorkWithoutALease(t *testing.T) {
	for name, fault := range map[string]func(*http.Request) (*http.Response, error){
		"swallowed": swallow,
		"refused":   func(*http.Request) (*http.Response, error) { return nil, errRefused },
	} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 1, func(t *testing.T, p *peers) {
				var working atomic.Int64 // when a last did something
				a := p.work("a", func(s *peerSetup) {
					s.handle = func(ctx context.Context, _ *batch.Batch[slslog.Group], _ []int) error {
						for ctx.Err() == nil {
							working.Store(time.Now().UnixNano())
							time.Sleep(10 * time.Millisecond)
						}
						return nil
					}
				})
				p.add(0, 1, "")
				p.await(time.Second, "a is at it", func() bool { return working.Load() != 0 })
				b := p.work("b", nil)
				time.Sleep(peerInterval)
				a.line.setFault(func(r *http.Request) (*http.Response, error) {
					if r.URL.Query().Get("type") != "heartbeat" {
						return nil, nil // its data goes on, which nothing fences
					}
					return fault(r)
				})
				p.await(2*peerTimeout, "b has the shard", shares(1)(b))
				p.done(2 * time.Second)
				first := p.did(&p.begun, "b", 0)[0].at
				if last := time.Unix(0, working.Load()); !last.Before(first) {
					t.Errorf("a worked until %v after b had begun", last.Sub(first))
				}
				if s := a.Status(); s.State != coordinator.StateJoining || len(s.Shards) != 0 {
					t.Errorf("a is %v with %d shards", s.State, len(s.Shards))
				}
			})
		})
	}
}

// D11 elsewhere: one error ended the heartbeats without a message, while the processors went on for ever.
// Here a lease expires by the clock, whatever happens to the goroutine that sends heartbeats.
func TestD11HeartbeatsThatEnd(t *testing.T) {
	peersTest(t, 1, func(t *testing.T, p *peers) {
		release := make(chan struct{})
		a := p.work("a", func(s *peerSetup) { s.DrainTimeout = time.Second })
		p.await(time.Second, "a has the shard", shares(1)(a))
		a.line.setFault(func(r *http.Request) (*http.Response, error) {
			if r.URL.Query().Get("type") == "heartbeat" {
				<-release // not even its context ends it
			}
			return nil, nil
		})
		hung := time.Now()
		b := p.work("b", nil)
		p.stream(3*peerTimeout, 100*time.Millisecond, "")
		all := p.did(&p.begun, "a", 0)
		if last := all[len(all)-1].at.Sub(hung); last > peerTimeout {
			t.Errorf("a began batches until %v after its last heartbeat", last)
		}
		p.await(time.Second, "b has the shard", shares(1)(b))
		p.done(time.Second)
		if twice := p.repeated(); len(twice) > 15 { // a second that was not committed yet
			t.Errorf("%d logs were handled twice", len(twice))
		}
		var drain *coordinator.DrainError
		if took, err := a.end(); !errors.As(err, &drain) || !slices.Equal(drain.Parts, []string{"heartbeat"}) || took > 2*time.Second {
			t.Errorf("Run returned %v after %v, want a DrainError that names the heartbeat", err, took)
		}
		close(release)
	})
}

// D12 elsewhere: a revoked shard was never released. The list of shards was changed during a loop over it,
// and the exception was ignored.
func TestD12RevokedShardsAreReleased(t *testing.T) {
	peersTest(t, 8, func(t *testing.T, p *peers) {
		var workers []*peerWorker
		for i, name := range []string{"a", "b", "c", "d"} {
			workers = append(workers, p.work(name, nil))
			want := [][]int{{8}, {4, 4}, {3, 3, 2}, {2, 2, 2, 2}}[i]
			took := p.await(time.Minute, "all have their share", func() bool {
				var got []int
				for _, w := range workers {
					got = append(got, len(w.Status().Shards))
				}
				slices.Sort(got)
				slices.Reverse(got)
				return slices.Equal(got, want)
			})
			if i > 0 && took > peerInterval+peerInterval/2 {
				t.Errorf("it took %v until %s had its share", took, name)
			}
			p.stream(2*time.Second, 200*time.Millisecond, "")
		}
		p.done(5 * time.Second)
		if twice := p.repeated(); twice != nil {
			t.Errorf("%d logs were handled twice", len(twice))
		}
	})
}

// D13 elsewhere: a shard with an acknowledged position that was not committed was never released, because
// nothing committed the position any more.
func TestD13HandOverCommits(t *testing.T) {
	peersTest(t, 2, func(t *testing.T, p *peers) {
		late := func(s *peerSetup) { s.batch.CommitInterval = time.Hour }
		a := p.work("a", late)
		for range 20 { // never idle for long enough to commit for that
			p.add(0, 1, "")
			p.add(1, 1, "")
			time.Sleep(50 * time.Millisecond)
		}
		b := p.work("b", late)
		took := p.await(time.Minute, "a and b share the shards", shares(1, 1)(a, b))
		if took > peerInterval+peerInterval/2 {
			t.Errorf("the hand-over took %v", took)
		}
		p.stream(time.Second, 100*time.Millisecond, "")
		p.await(time.Second, "every log was handled", func() bool { return len(p.missing("")) == 0 })
		if twice := p.repeated(); twice != nil {
			t.Errorf("%d logs were handled twice", len(twice))
		}
	})
}

// D15 elsewhere: if a commit was refused because another member held the shard, it was reported as a success,
// and the processor went on.
func TestD15LostShardIsAnError(t *testing.T) {
	peersTest(t, 4, func(t *testing.T, p *peers) {
		var told atomic.Int64
		a := p.work("a", func(s *peerSetup) {
			s.Hooks.Commit = func(e coordinator.CommitEvent) {
				if errors.Is(e.Err, processor.ErrNotOwner) && e.Lease.ID.Number == 1 {
					told.Add(1)
				}
			}
		})
		p.await(time.Second, "a has all shards", shares(4)(a))
		shard := 1
		f := slsserver.Fault{Op: "ConsumerGroupUpdateCheckPoint", Code: "ConsumerNotMatch"}
		f.Shard = &shard
		p.fault(f)
		p.stream(20*time.Second, 100*time.Millisecond, "")
		// After each refusal nothing goes on where it was: what comes next is what is
		// not committed, from the start.
		refused := 0
		for _, c := range p.made("a", "checkpoint") {
			if c.shard != shard || c.status == http.StatusOK {
				continue
			}
			refused++
			for _, h := range p.did(&p.begun, "a", shard) {
				if h.at.After(c.at) {
					if h.n != 1 {
						t.Errorf("the log %d was begun after a commit had been refused", h.n)
					}
					break
				}
			}
		}
		if refused == 0 || int(told.Load()) != refused || a.Status().Counters.CommitsFenced != int64(refused) {
			t.Errorf("%d commits were refused, the hook heard of %d, and %d are counted", refused, told.Load(), a.Status().Counters.CommitsFenced)
		}
		for _, other := range []int{0, 2, 3} {
			if n := p.committed(other); n < 185 {
				t.Errorf("%d logs of shard %d are committed, want some 200", n, other)
			}
		}
		p.srv.ClearFaults()
		p.done(2 * time.Minute)
	})
}

// D03 elsewhere: an evicted member went on, and its heartbeats were refused for ever, because they listed
// shards. (TestD03ErrorsOfTheLastCommit has the typing mistakes of this defect.)
func TestD03EvictedMemberRejoins(t *testing.T) {
	peersTest(t, 4, func(t *testing.T, p *peers) {
		a := p.work("a", nil)
		p.stream(2*time.Second, 200*time.Millisecond, "")
		p.check(p.srv.Evict("p", "log", "g", "a"))
		evicted := time.Now()
		p.stream(10*time.Second, 200*time.Millisecond, "")
		var bodies []string
		for _, c := range p.made("a", "heartbeat") {
			if c.at.After(evicted) && len(bodies) < 2 {
				bodies = append(bodies, c.body)
			}
		}
		if len(bodies) != 2 || bodies[0] == "[]" || bodies[1] != "[]" {
			t.Errorf("the heartbeats after the eviction were %q, want one that is refused and an empty one", bodies)
		}
		p.done(2 * time.Second)
		if c := a.Status().Counters; c.Evictions != 1 || c.LeasesLost != 1 {
			t.Errorf("counted %d evictions and %d leases lost", c.Evictions, c.LeasesLost)
		}
	})
}
