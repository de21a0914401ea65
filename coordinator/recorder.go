package coordinator

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// recorder counts what happens and has it told: one log line and one hook per event.
// A log's sink can block like any hook, so both wait in queues, apart from each
// other: the line that names a stuck processor must not wait for a hook. Its methods
// return at once and may be called from any goroutine.
type recorder struct {
	member string
	hooks  Hooks
	log    *zap.Logger // with the fields group and member; for the lines of processors
	own    *zap.Logger // the same, for lines that are written from the queue
	lines  *queue      // log lines to write
	calls  *queue      // hooks to call
	fold   folder      // of the goroutine that writes the lines

	// The owner's: since when heartbeats fail, and when that was said last; when the stacks
	// of a processor were written last.
	failingSince, warnedAt, stacksAt time.Time

	mu     sync.Mutex // guards the field below
	counts Counters
}

func newRecorder(cfg Config, info heartbeat.Info) *recorder {
	log := cfg.Logger.With(zap.String("group", info.Group), zap.String("member", cfg.Member))
	rc := &recorder{member: cfg.Member, hooks: cfg.Hooks, lines: newQueue(), calls: newQueue()}
	rc.log, rc.own = rc.folding(log, false), rc.folding(log, true)
	rc.calls.panicked = func(v any, stack []byte) {
		rc.line(func(log *zap.Logger) {
			log.Error("hook panicked", zap.Any("panic", v), zap.ByteString("stack", stack))
		})
	}
	rc.calls.behind = func(n int) {
		rc.line(func(log *zap.Logger) { log.Warn("hooks are behind", zap.Int("waiting", n)) })
	}
	return rc
}

func (rc *recorder) count(f func(c *Counters)) {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	f(&rc.counts)
}

func (rc *recorder) counters() Counters {
	rc.mu.Lock()
	defer rc.mu.Unlock()
	return rc.counts
}

// event has one shard event told.
func (rc *recorder) event(hook func(ShardEvent), e ShardEvent, line func(*zap.Logger)) {
	e.Member, e.At = rc.member, time.Now()
	rc.shardLine(e.ID, e.Epoch, line)
	if hook != nil {
		rc.calls.add(func() { hook(e) })
	}
}

func (rc *recorder) assigned(l shardset.Lease) {
	rc.count(func(c *Counters) { c.Assigned++ })
	rc.event(rc.hooks.Assigned, ShardEvent{ID: l.ID, Epoch: l.Epoch}, func(log *zap.Logger) {
		log.Info("shard assigned")
	})
}

func (rc *recorder) draining(s shardset.Stop, cause error) {
	rc.event(rc.hooks.Draining, ShardEvent{ID: s.ID, Epoch: s.Epoch, Err: cause}, func(log *zap.Logger) {
		log.Info("shard draining", zap.NamedError("cause", cause))
	})
}

func (rc *recorder) cancelled(s shardset.Stop, cause error) {
	if s.Cause != shardset.CauseLost {
		rc.count(func(c *Counters) { c.DrainOverruns++ })
	}
	rc.event(rc.hooks.Cancelled, ShardEvent{ID: s.ID, Epoch: s.Epoch, Err: cause}, func(log *zap.Logger) {
		log.Warn("shard cancelled", zap.NamedError("cause", cause))
	})
}

func (rc *recorder) returned(l shardset.Lease, o shardset.Outcome) {
	rc.count(func(c *Counters) { c.Stopped++ })
	rc.event(rc.hooks.Stopped, ShardEvent{ID: l.ID, Epoch: l.Epoch, Outcome: o}, func(log *zap.Logger) {
		log.Info("shard stopped", zap.Stringer("outcome", o))
	})
}

func (rc *recorder) stillGranted(id shardset.ID) {
	rc.line(func(log *zap.Logger) {
		log.Warn("shard was processed to its end, and the group goes on granting it: starting it again", zap.Stringer("shard", id))
	})
}

func (rc *recorder) stuck(id shardset.ID, epoch uint64) {
	rc.count(func(c *Counters) { c.Stuck++ })
	rc.event(rc.hooks.Stuck, ShardEvent{ID: id, Epoch: epoch}, func(log *zap.Logger) {
		log.Error("processor is stuck: it ignores its cancelled context, and its shard stays reported as held")
	})
}

// observer is how runs tell what they do.
func (rc *recorder) observer() runner.Observer {
	return runner.Observer{
		Started: rc.started, Failed: rc.failed, Halted: rc.halted, Committed: rc.committed,
		Poisoned: rc.poisoned, Skipped: rc.skipped, Moved: rc.moved,
	}
}

func (rc *recorder) moved(l shardset.Lease, wrote, found processor.Position) {
	rc.shardLine(l.ID, l.Epoch, func(log *zap.Logger) {
		log.Warn(fmt.Sprintf("another process writes this shard's checkpoint: do two workers use the name %q? "+
			"Config.MemberSuffix gives workers of one host different names", rc.member),
			zap.String("wrote", string(wrote)), zap.String("found", string(found)))
	})
}

func (rc *recorder) started(l shardset.Lease, resume processor.Position, found bool) {
	rc.event(rc.hooks.Started, ShardEvent{ID: l.ID, Epoch: l.Epoch, Resume: resume}, func(log *zap.Logger) {
		log.Info("shard started", zap.Bool("resumed", found), zap.String("position", string(resume)))
	})
}

func (rc *recorder) failed(l shardset.Lease, err error, pause time.Duration) {
	var panicked *processor.PanicError
	isPanic := errors.As(err, &panicked)
	rc.count(func(c *Counters) {
		c.Failures++
		if isPanic {
			c.Panics++
		}
	})
	rc.event(rc.hooks.Failed, ShardEvent{ID: l.ID, Epoch: l.Epoch, Err: err, Retry: pause}, func(log *zap.Logger) {
		if isPanic {
			log = log.With(zap.ByteString("stack", panicked.Stack))
		}
		log.Error("processor failed", zap.Error(err), zap.Duration("retry", pause))
	})
}

func (rc *recorder) halted(l shardset.Lease, err error) {
	rc.count(func(c *Counters) { c.Halted++ })
	rc.event(rc.hooks.Halted, ShardEvent{ID: l.ID, Epoch: l.Epoch, Err: err}, func(log *zap.Logger) {
		var panicked *processor.PanicError
		if errors.As(err, &panicked) {
			log = log.With(zap.ByteString("stack", panicked.Stack))
		}
		log.Error("shard halted: it stays held, and idle, until its cause is mended", zap.Error(err))
	})
}

func (rc *recorder) poisoned(l shardset.Lease, p processor.Poison) {
	rc.count(func(c *Counters) { c.Poison++ })
	rc.shardLine(l.ID, l.Epoch, func(log *zap.Logger) {
		log.Warn("poison given up", zap.String("from", string(p.From)), zap.String("next", string(p.Next)),
			zap.Int("items", p.Items), zap.Int("attempts", p.Attempts), zap.Bool("dead_lettered", p.DeadLettered), zap.Error(p.Err))
	})
	if rc.hooks.Poisoned != nil {
		e := PoisonEvent{Poison: p, Member: rc.member, At: time.Now(), ID: l.ID, Epoch: l.Epoch}
		rc.calls.add(func() { rc.hooks.Poisoned(e) })
	}
}

func (rc *recorder) skipped(l shardset.Lease, g processor.Gap) {
	rc.count(func(c *Counters) { c.Gaps++ })
	rc.shardLine(l.ID, l.Epoch, func(log *zap.Logger) {
		log.Warn("gap skipped", zap.String("lost", string(g.Lost)), zap.String("resumed", string(g.Resumed)), zap.Error(g.Err))
	})
	if rc.hooks.Gap != nil {
		e := GapEvent{Gap: g, Member: rc.member, At: time.Now(), ID: l.ID, Epoch: l.Epoch}
		rc.calls.add(func() { rc.hooks.Gap(e) })
	}
}

func (rc *recorder) committed(c processor.Commit, err error) {
	rc.count(func(n *Counters) {
		switch {
		case err == nil:
			n.Commits++
			return
		case errors.Is(err, processor.ErrNotOwner):
			n.CommitsFenced++
		}
		n.CommitsFailed++
	})
	switch {
	case err != nil:
		rc.shardLine(c.Lease.ID, c.Lease.Epoch, func(log *zap.Logger) { log.Warn("commit failed", zap.Error(err)) })
	case rc.log.Core().Enabled(zap.DebugLevel):
		rc.shardLine(c.Lease.ID, c.Lease.Epoch, func(log *zap.Logger) {
			log.Debug("commit", zap.String("position", string(c.Position)), zap.Duration("took", c.Took))
		})
	}
	if rc.hooks.Commit != nil {
		e := CommitEvent{Commit: c, At: time.Now(), Err: err}
		rc.calls.add(func() { rc.hooks.Commit(e) })
	}
}
