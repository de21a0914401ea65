package coordinator

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/shardset"
)

// findStalled has the processors told that give no sign of progress, each once until
// there is one. It runs when a heartbeat ends, which comes anyway. Owner only.
func (r *run) findStalled(now time.Time) {
	if r.cfg.NoProgressAfter < 0 {
		return
	}
	for id, run := range r.runs {
		since, err := run.Stall(now, r.cfg.NoProgressAfter)
		told, was := r.stalled[id]
		switch {
		case err == nil && was:
			delete(r.stalled, id)
			if !run.Cancelled() {
				r.rec.goesOn(id, run.Epoch(), now.Sub(told))
			}
		case err != nil && (!was || !told.Equal(since)):
			r.stalled[id] = since
			r.rec.stalled(id, run.Epoch(), now, since, err)
		}
	}
}

// stackEvery is how often the stacks of a processor's goroutines are written: to take them
// stops the whole process for a moment.
const stackEvery = time.Minute

// stalled has a processor told that gives no sign of progress.
func (rc *recorder) stalled(id shardset.ID, epoch uint64, now, since time.Time, err error) {
	rc.count(func(c *Counters) { c.NoProgress++ })
	stacks := rc.stacksAt.IsZero() || now.Sub(rc.stacksAt) >= stackEvery
	if stacks {
		rc.stacksAt = now
	}
	rc.event(rc.hooks.Stuck, ShardEvent{ID: id, Epoch: epoch, Err: err}, func(log *zap.Logger) {
		fields := []zap.Field{zap.Duration("for", now.Sub(since)), zap.Error(err)}
		if stacks { // on the goroutine that writes the lines: the owner does not wait for it
			fields = append(fields, zap.ByteString("stacks", shardStacks(rc.member, id, epoch)))
		}
		log.Error("processor makes no progress; its shard stays held", fields...)
	})
}

func (rc *recorder) goesOn(id shardset.ID, epoch uint64, after time.Duration) {
	rc.shardLine(id, epoch, func(log *zap.Logger) {
		log.Info("processor makes progress again", zap.Duration("after", after))
	})
}

// maxStacks is how many bytes of stacks one line has.
const maxStacks = 16 << 10

// shardStacks returns the stacks of the goroutines of one run, as a profile shows them: it
// has the goroutines that the labels of runner.Run name.
func shardStacks(member string, id shardset.ID, epoch uint64) []byte {
	var all, own bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&all, 1); err != nil {
		return nil
	}
	labels := [][]byte{
		fmt.Appendf(nil, "%q:%q", "rollcall.member", member),
		fmt.Appendf(nil, "%q:%q", "rollcall.shard", id.String()),
		fmt.Appendf(nil, "%q:\"%d\"", "rollcall.epoch", epoch),
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
