package coordinator

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// A processor found the lease expired before the owner could extend it: the answer's shards are
// dropped, and nothing is reported of a shard that was never assigned.
func TestLeaseEndedBeforeTheAnswer(t *testing.T) {
	svc, _ := memory.New(memory.Config{Shards: shardset.Range("log", 2)})
	var kinds []string
	add := func(k string) func(ShardEvent) { return func(e ShardEvent) { kinds = append(kinds, k) } }
	c, err := New(Config{Group: svc, Member: "a", Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error { <-ctx.Done(); return nil }),
		Hooks: Hooks{Assigned: add("assigned"), Cancelled: add("cancelled"), Stopped: add("stopped")}})
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(c.cfg, c.info)
	r.base = t.Context()
	r.wakeTimer, r.beatTimer = time.NewTimer(time.Hour), time.NewTimer(time.Hour)
	now := time.Now()
	r.lease = runner.NewMemberLease(now.Add(time.Hour))
	r.lease.End()
	h := r.newBeat(now)
	a, err := svc.Beat(t.Context(), h)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := r.tracker.Accepted(now, h.Seq, a)
	if err != nil || len(plan.Start) != 2 {
		t.Fatal(plan, err)
	}
	r.apply(now, plan)
	if r.lease != nil || len(r.tracker.Shards()) != 0 || len(r.runs) != 0 {
		t.Errorf("lease %v, shards %v, runs %v", r.lease, r.tracker.Shards(), r.runs)
	}
	r.rec.calls.close()
	r.rec.calls.work(func(func()) {})
	if len(kinds) != 0 {
		t.Errorf("hooks %v of shards that were never assigned", kinds)
	}
}
