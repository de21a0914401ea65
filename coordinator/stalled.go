package coordinator

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/shardset"
)

// findStalled records each processor that makes no progress, and records it again only if it
// made progress in between. It runs after each heartbeat, so it needs no timer. Owner only.
func (r *run) findStalled(now time.Time) {
	if r.cfg.NoProgressAfter < 0 {
		return
	}
	for id, run := range r.runs {
		since, err := run.Stall(now, r.cfg.NoProgressAfter)
		recorded, was := r.stalled[id]
		switch {
		case err == nil && was:
			delete(r.stalled, id)
			if !run.Cancelled() {
				r.rec.shard(event.Event{Kind: event.Resumed, Lease: lease(id, run), For: now.Sub(recorded)})
			}
		case err != nil && (!was || !recorded.Equal(since)):
			r.stalled[id] = since
			r.rec.shard(event.Event{
				Kind: event.Stalled, Lease: lease(id, run), Err: err, For: now.Sub(since), Stacks: r.stacksDue(now),
			})
		}
	}
}

// stackEvery is the least time between two lines with stacks: taking stacks stops the whole
// process for a moment.
const stackEvery = time.Minute

func (r *run) stacksDue(now time.Time) bool {
	if !r.stacksAt.IsZero() && now.Sub(r.stacksAt) < stackEvery {
		return false
	}
	r.stacksAt = now
	return true
}

func lease(id shardset.ID, run *runner.Run) shardset.Lease {
	return shardset.Lease{ID: id, Epoch: run.Epoch()}
}

// maxStacks is the most bytes of stacks in one line.
const maxStacks = 16 << 10

// shardStacks returns the stacks of the goroutines of one run, in the format of a profile. It
// finds them by the labels that runner.Run sets.
func shardStacks(member string, l shardset.Lease) []byte {
	var all, own bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		return nil
	}
	labels := [][]byte{
		fmt.Appendf(nil, "%q:%q", "rollcall.member", member),
		fmt.Appendf(nil, "%q:%q", "rollcall.shard", l.ID.String()),
		fmt.Appendf(nil, "%q:\"%d\"", "rollcall.epoch", l.Epoch),
	}
	for group := range bytes.SplitSeq(all.Bytes(), []byte("\n\n")) {
		if hasAll(group, labels) && own.Len() < maxStacks {
			own.Write(group[:min(len(group), maxStacks)])
			own.WriteString("\n\n")
		}
	}
	return bytes.TrimSpace(own.Bytes())
}

func hasAll(group []byte, labels [][]byte) bool {
	for _, label := range labels {
		if !bytes.Contains(group, label) {
			return false
		}
	}
	return true
}
