package coordinator

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// teller counts what happens and has it told: one log line and one hook per event.
// A log's sink can block like any hook, so both wait in queues, apart from each
// other: the line that names a stuck processor must not wait for a hook. Its methods
// return at once and may be called from any goroutine.
type teller struct {
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

func newTeller(cfg Config, info heartbeat.Info) *teller {
	log := cfg.Logger.With(zap.String("group", info.Group), zap.String("member", cfg.Member))
	t := &teller{member: cfg.Member, hooks: cfg.Hooks, lines: newQueue(), calls: newQueue()}
	t.log, t.own = t.folding(log, false), t.folding(log, true)
	t.calls.panicked = func(v any, stack []byte) {
		t.line(func(log *zap.Logger) {
			log.Error("hook panicked", zap.Any("panic", v), zap.ByteString("stack", stack))
		})
	}
	t.calls.behind = func(n int) {
		t.line(func(log *zap.Logger) { log.Warn("hooks are behind", zap.Int("waiting", n)) })
	}
	return t
}

func (t *teller) count(f func(c *Counters)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(&t.counts)
}

func (t *teller) counters() Counters {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts
}

// event has one shard event told.
func (t *teller) event(hook func(ShardEvent), e ShardEvent, line func(*zap.Logger)) {
	e.Member, e.At = t.member, time.Now()
	t.shardLine(e.ID, e.Epoch, line)
	if hook != nil {
		t.calls.add(func() { hook(e) })
	}
}

func (t *teller) assigned(l shardset.Lease) {
	t.count(func(c *Counters) { c.Assigned++ })
	t.event(t.hooks.Assigned, ShardEvent{ID: l.ID, Epoch: l.Epoch}, func(log *zap.Logger) {
		log.Info("shard assigned")
	})
}

func (t *teller) draining(s shardset.Stop, cause error) {
	t.event(t.hooks.Draining, ShardEvent{ID: s.ID, Epoch: s.Epoch, Err: cause}, func(log *zap.Logger) {
		log.Info("shard draining", zap.NamedError("cause", cause))
	})
}

func (t *teller) cancelled(s shardset.Stop, cause error) {
	if s.Cause != shardset.CauseLost {
		t.count(func(c *Counters) { c.DrainOverruns++ })
	}
	t.event(t.hooks.Cancelled, ShardEvent{ID: s.ID, Epoch: s.Epoch, Err: cause}, func(log *zap.Logger) {
		log.Warn("shard cancelled", zap.NamedError("cause", cause))
	})
}

func (t *teller) returned(l shardset.Lease, o shardset.Outcome) {
	t.count(func(c *Counters) { c.Stopped++ })
	t.event(t.hooks.Stopped, ShardEvent{ID: l.ID, Epoch: l.Epoch, Outcome: o}, func(log *zap.Logger) {
		log.Info("shard stopped", zap.Stringer("outcome", o))
	})
}

func (t *teller) stillGranted(id shardset.ID) {
	t.line(func(log *zap.Logger) {
		log.Warn("shard was processed to its end, and the group goes on granting it: starting it again", zap.Stringer("shard", id))
	})
}

func (t *teller) stuck(id shardset.ID, epoch uint64) {
	t.count(func(c *Counters) { c.Stuck++ })
	t.event(t.hooks.Stuck, ShardEvent{ID: id, Epoch: epoch}, func(log *zap.Logger) {
		log.Error("processor is stuck: it ignores its cancelled context, and its shard stays reported as held")
	})
}

// observer is how runs tell what they do.
func (t *teller) observer() processor.Observer {
	return processor.Observer{
		Started: t.started, Failed: t.failed, Halted: t.halted, Committed: t.committed,
		Poisoned: t.poisoned, Skipped: t.skipped, Moved: t.moved,
	}
}

func (t *teller) moved(l shardset.Lease, wrote, found processor.Position) {
	t.shardLine(l.ID, l.Epoch, func(log *zap.Logger) {
		log.Warn(fmt.Sprintf("another process writes this shard's checkpoint: do two workers use the name %q? "+
			"Config.MemberSuffix gives workers of one host different names", t.member),
			zap.String("wrote", string(wrote)), zap.String("found", string(found)))
	})
}

func (t *teller) started(l shardset.Lease, resume processor.Position, found bool) {
	t.event(t.hooks.Started, ShardEvent{ID: l.ID, Epoch: l.Epoch, Resume: resume}, func(log *zap.Logger) {
		log.Info("shard started", zap.Bool("resumed", found), zap.String("position", string(resume)))
	})
}

func (t *teller) failed(l shardset.Lease, err error, pause time.Duration) {
	var panicked *processor.PanicError
	isPanic := errors.As(err, &panicked)
	t.count(func(c *Counters) {
		c.Failures++
		if isPanic {
			c.Panics++
		}
	})
	t.event(t.hooks.Failed, ShardEvent{ID: l.ID, Epoch: l.Epoch, Err: err, Retry: pause}, func(log *zap.Logger) {
		if isPanic {
			log = log.With(zap.ByteString("stack", panicked.Stack))
		}
		log.Error("processor failed", zap.Error(err), zap.Duration("retry", pause))
	})
}

func (t *teller) halted(l shardset.Lease, err error) {
	t.count(func(c *Counters) { c.Halted++ })
	t.event(t.hooks.Halted, ShardEvent{ID: l.ID, Epoch: l.Epoch, Err: err}, func(log *zap.Logger) {
		var panicked *processor.PanicError
		if errors.As(err, &panicked) {
			log = log.With(zap.ByteString("stack", panicked.Stack))
		}
		log.Error("shard halted: it stays held, and idle, until its cause is mended", zap.Error(err))
	})
}

func (t *teller) poisoned(l shardset.Lease, p processor.Poison) {
	t.count(func(c *Counters) { c.Poison++ })
	t.shardLine(l.ID, l.Epoch, func(log *zap.Logger) {
		log.Warn("poison given up", zap.String("from", string(p.From)), zap.String("next", string(p.Next)),
			zap.Int("items", p.Items), zap.Int("attempts", p.Attempts), zap.Bool("dead_lettered", p.DeadLettered), zap.Error(p.Err))
	})
	if t.hooks.Poisoned != nil {
		e := PoisonEvent{Poison: p, Member: t.member, At: time.Now(), ID: l.ID, Epoch: l.Epoch}
		t.calls.add(func() { t.hooks.Poisoned(e) })
	}
}

func (t *teller) skipped(l shardset.Lease, g processor.Gap) {
	t.count(func(c *Counters) { c.Gaps++ })
	t.shardLine(l.ID, l.Epoch, func(log *zap.Logger) {
		log.Warn("gap skipped", zap.String("lost", string(g.Lost)), zap.String("resumed", string(g.Resumed)), zap.Error(g.Err))
	})
	if t.hooks.Gap != nil {
		e := GapEvent{Gap: g, Member: t.member, At: time.Now(), ID: l.ID, Epoch: l.Epoch}
		t.calls.add(func() { t.hooks.Gap(e) })
	}
}

func (t *teller) committed(c processor.Commit, err error) {
	t.count(func(n *Counters) {
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
		t.shardLine(c.Lease.ID, c.Lease.Epoch, func(log *zap.Logger) { log.Warn("commit failed", zap.Error(err)) })
	case t.log.Core().Enabled(zap.DebugLevel):
		t.shardLine(c.Lease.ID, c.Lease.Epoch, func(log *zap.Logger) {
			log.Debug("commit", zap.String("position", string(c.Position)), zap.Duration("took", c.Took))
		})
	}
	if t.hooks.Commit != nil {
		e := CommitEvent{Commit: c, At: time.Now(), Err: err}
		t.calls.add(func() { t.hooks.Commit(e) })
	}
}
