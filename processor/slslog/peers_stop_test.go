package slslog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

// D03 elsewhere: two error codes were misspelt, so the last commit was tried for ever. The worker never
// stopped, and never released a lost shard. (TestD03EvictedMemberRejoins has the evicted members.)
func TestD03ErrorsOfTheLastCommit(t *testing.T) {
	slow := func(s *peerSetup) {
		s.batch.CommitInterval = time.Hour
		s.handle = func(context.Context, *batch.Batch[slslog.Group], []int) error {
			time.Sleep(3 * time.Second)
			return nil
		}
	}
	for _, f := range []slsserver.Fault{
		{Status: 404, Code: "ConsumerNotExist"}, {Status: 404, Code: "ConsumerNotExsit"},
		{Status: 404, Code: "ShardNotExist"}, {Status: 404, Code: "ShardNotExsit"},
		{Status: 404, Code: "ConsumerGroupNotExist"}, {Status: 400, Code: "ConsumerNotMatch"},
		{Status: 500, Code: "InternalServerError"}, {Status: 403, Code: "MetaOperationQpsLimitExceeded"},
		{Status: 400, Code: "NeverHeardOf"},
	} {
		t.Run(fmt.Sprintf("%d %s", f.Status, f.Code), func(t *testing.T) {
			peersTest(t, 2, func(t *testing.T, p *peers) {
				f.Op, f.Consumer = "ConsumerGroupUpdateCheckPoint", "a"
				p.fault(f)
				a, b := p.work("a", slow), p.work("b", nil)
				p.await(5*time.Second, "a and b share the shards", shares(1, 1)(a, b))
				p.add(0, 1, "")
				p.add(1, 1, "")
				p.await(2*time.Second, "a is at it", func() bool { return len(p.did(&p.begun, "a", -1)) == 1 })
				took, err := a.end()
				if err != nil || took > 6*time.Second {
					t.Errorf("Run returned %v after %v, of which the batch took 3s", err, took)
				}
				if n := len(p.made("a", "checkpoint")); n == 0 || n > 6 {
					t.Errorf("%d commits were tried", n)
				}
				p.done(2 * peerTimeout)
			})
		})
		t.Run(fmt.Sprintf("%d %s, revoked", f.Status, f.Code), func(t *testing.T) {
			peersTest(t, 2, func(t *testing.T, p *peers) {
				f.Op, f.Consumer = "ConsumerGroupUpdateCheckPoint", "a"
				p.fault(f)
				a := p.work("a", slow)
				p.add(0, 1, "")
				p.add(1, 1, "")
				p.await(2*time.Second, "a is at it", func() bool { return len(p.did(&p.begun, "a", -1)) == 2 })
				b := p.work("b", nil)
				p.await(2*peerTimeout, "b has its share", func() bool { return len(b.Status().Shards) == 1 })
				p.srv.ClearFaults()
				p.done(time.Minute)
				a.end()
			})
		})
	}
}

// D06 elsewhere: at a stop, shards that were handling a batch got no last commit.
func TestD06LastBatchIsCommitted(t *testing.T) {
	peersTest(t, 3, func(t *testing.T, p *peers) {
		for shard := range 3 { // before the worker, which must not get them one by one
			p.add(shard, 2, "")
		}
		a := p.work("a", func(s *peerSetup) {
			s.batch.CommitInterval = time.Hour
			s.handle = func(_ context.Context, b *batch.Batch[slslog.Group], _ []int) error {
				time.Sleep(time.Duration(b.ID().Number) * 2 * time.Second)
				return nil
			}
		})
		p.await(time.Second, "all are at it", func() bool { return len(p.did(&p.begun, "a", -1)) == 6 })
		took, err := a.end()
		if err != nil || took > 4*time.Second+100*time.Millisecond {
			t.Errorf("Run returned %v after %v, of which the last batch took 4s", err, took)
		}
		p.done(0)
		if twice := p.repeated(); twice != nil {
			t.Errorf("%v were handled twice", twice)
		}
	})
}

// D16 elsewhere: a stop had no bound. One call that hung, or a hook that panicked, delayed it for minutes or
// for ever.
func TestD16StopIsBounded(t *testing.T) {
	const drain = 3 * time.Second
	type scene struct {
		fault  slsserver.Fault
		setUp  func(*peerSetup)
		within time.Duration
		stuck  int // shards whose handlers do not return
	}
	release := func(s *peerSetup) chan struct{} {
		c := make(chan struct{})
		s.handle = func(context.Context, *batch.Batch[slslog.Group], []int) error { <-c; return nil }
		return c
	}
	var deaf chan struct{}
	for name, s := range map[string]scene{
		"read that hangs":   {fault: slsserver.Fault{Op: "PullLogs", Latency: time.Hour}, within: 100 * time.Millisecond},
		"cursor that hangs": {fault: slsserver.Fault{Op: "GetCursor", Latency: time.Hour}, within: 100 * time.Millisecond},
		"checkpoint that hangs": {
			fault: slsserver.Fault{Op: "GetCheckPoint", Latency: time.Hour}, within: 100 * time.Millisecond,
		},
		"commit that hangs": {fault: slsserver.Fault{Op: "ConsumerGroupUpdateCheckPoint", Latency: time.Hour}, within: drain + 100*time.Millisecond},
		"heartbeat that hangs": {
			fault: slsserver.Fault{Op: "ConsumerGroupHeartBeat", Skip: 1, Latency: time.Hour}, within: 100 * time.Millisecond,
		},
		"handler that fails": {within: 100 * time.Millisecond, setUp: func(s *peerSetup) {
			s.handle = func(context.Context, *batch.Batch[slslog.Group], []int) error { return errSink }
		}},
		"handler that panics": {within: 100 * time.Millisecond, setUp: func(s *peerSetup) {
			s.handle = func(context.Context, *batch.Batch[slslog.Group], []int) error { panic("poison") }
		}},
		"handler that waits for its context": {within: drain + 100*time.Millisecond, setUp: func(s *peerSetup) {
			s.handle = func(ctx context.Context, _ *batch.Batch[slslog.Group], _ []int) error { <-ctx.Done(); return ctx.Err() }
		}},
		"handler that is deaf": {within: drain + 100*time.Millisecond, stuck: 2, setUp: func(s *peerSetup) { deaf = release(s) }},
	} {
		t.Run(name, func(t *testing.T) {
			peersTest(t, 2, func(t *testing.T, p *peers) {
				if s.fault.Op != "" {
					p.fault(s.fault)
				}
				p.add(0, 1, "")
				p.add(1, 1, "")
				a := p.work("a", func(setup *peerSetup) {
					setup.DrainTimeout = drain
					if s.setUp != nil {
						s.setUp(setup)
					}
				})
				time.Sleep(5 * time.Second)
				took, err := a.end()
				if took > s.within {
					t.Errorf("Run took %v to return, want at most %v", took, s.within)
				}
				var e *coordinator.DrainError
				if errors.As(err, &e) != (s.stuck > 0) || e != nil && len(e.Shards) != s.stuck {
					t.Errorf("Run returned %v", err)
				}
				if s.stuck > 0 {
					close(deaf)
				}
				p.srv.ClearFaults()
				p.work("b", nil)
				p.done(3 * peerTimeout)
			})
		})
	}
}

// D16 elsewhere: a worker stopped its shards one after the other, a second each. With sixty shards that took
// longer than its lease.
func TestD16ShardsStopTogether(t *testing.T) {
	peersTest(t, 64, func(t *testing.T, p *peers) {
		a := p.work("a", func(s *peerSetup) {
			s.handle = func(context.Context, *batch.Batch[slslog.Group], []int) error {
				time.Sleep(2 * time.Second)
				return nil
			}
		})
		for shard := range 64 {
			p.add(shard, 1, "")
		}
		p.await(2*time.Second, "all are at it", func() bool { return len(p.did(&p.begun, "a", -1)) == 64 })
		if took, err := a.end(); err != nil || took > 2*time.Second+100*time.Millisecond {
			t.Errorf("Run returned %v after %v, of which the batches took 2s", err, took)
		}
		p.done(0)
		var shards []int
		for _, c := range p.made("a", "checkpoint") {
			shards = append(shards, c.shard)
		}
		if slices.Sort(shards); len(slices.Compact(shards)) != 64 {
			t.Errorf("commits of %d shards", len(shards))
		}
	})
}
