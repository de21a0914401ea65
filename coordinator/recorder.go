package coordinator

import (
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/heartbeat"
)

// recorder counts events and queues one log line and one hook call for each. Lines and hooks
// have separate queues, because the log and the hooks can both block: the line that names a
// stuck processor must not wait for a hook. The methods return at once and are safe for
// concurrent use, except heartbeat: only the owner calls it.
type recorder struct {
	member string
	hooks  Hooks
	log    *zap.Logger // with the fields group and member; for the lines of processors
	own    *zap.Logger // the same, for lines of the recorder itself
	lines  *queue      // log lines to write
	calls  *queue      // hooks to call
	fold   folder      // used by the goroutine that writes the lines

	// When heartbeats began to fail, and when the last warning was logged. Owner only.
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
		count := row.count(e) // before the lock: it may call methods of the user's errors
		rc.count(count)
	}
	// Enabled is user code, which the owner must not call. It is called at debug level only,
	// and all events of the owner have a higher level.
	if row.level > zap.DebugLevel || rc.log.Core().Enabled(row.level) {
		rc.shardLine(e.Lease, func(log *zap.Logger) {
			var fields []zap.Field
			if row.fields != nil { // runs on the goroutine that writes the lines, so it may be slow
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
