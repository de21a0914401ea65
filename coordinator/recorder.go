package coordinator

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/heartbeat"
)

// recorder counts events and queues one log line and one hook call for each. A log's sink
// can block like any hook, so each has a queue of its own: the line that names a stuck
// processor must not wait for a hook. Its methods return at once and may be called from any
// goroutine.
type recorder struct {
	member string
	hooks  Hooks
	log    *zap.Logger // with the fields group and member; for the lines of processors
	own    *zap.Logger // the same, for lines that are written from the queue
	lines  *queue      // log lines to write
	calls  *queue      // hooks to call
	fold   folder      // used by the goroutine that writes the lines

	// Since when heartbeats fail, and when that was logged last. Owner only.
	failingSince, warnedAt time.Time

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

// shard records what happened to a shard.
func (rc *recorder) shard(e event.Event) {
	row := &shardEvents[e.Kind]
	if row.count != nil {
		count := row.count(e) // before the lock: errors have methods of the user
		rc.count(count)
	}
	// Not for the owner's events, which all have a higher level: Enabled is the user's code.
	if row.level > zap.DebugLevel || rc.log.Core().Enabled(row.level) {
		rc.shardLine(e.Lease, func(log *zap.Logger) {
			var fields []zap.Field
			if row.fields != nil { // on the goroutine that writes the lines: it may take its time
				fields = row.fields(e, rc.member)
			}
			log.Log(row.level, row.message, fields...)
		})
	}
	if row.hook != nil {
		if call := row.hook(&rc.hooks, e, rc.member, time.Now()); call != nil {
			rc.calls.add(call)
		}
	}
}
