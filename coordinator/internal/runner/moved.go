package runner

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/processor"
)

// A service without epochs knows members only by their names. Two processes with the same name
// both get all shards of that name, and the store accepts the commits of both. A process can
// detect this only in a checkpoint: it finds a position there that it did not write.

// moveCheckEvery is the time between two checks for another process with the same name. A check
// costs a request. A check of one shard is enough, because both processes hold all shards.
const moveCheckEvery = 10 * time.Second

// moveChecks paces the checks of all runs of a worker together.
type moveChecks struct {
	mu   sync.Mutex // guards the field below
	next time.Time
}

// due reports whether a check is due at now. If it is, the caller must make the check.
func (m *moveChecks) due(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Before(m.next) {
		return false
	}
	m.next = now.Add(moveCheckEvery)
	return true
}

// written records what a run wrote to its checkpoint. During Process, only the commit in flight
// may use it. Otherwise only the goroutine of Run.Do may.
type written struct {
	last     processor.Position // of the last save that succeeded; empty: none yet
	tried    processor.Position // of the last save that failed: it may be stored
	reported bool               // reportIfMoved has reported
}

// saved records the result of a save.
func (w *written) saved(p processor.Position, err error) {
	if err != nil {
		w.tried = p
		return
	}
	w.last = p
}

// moved reports whether another process must have stored p.
func (w *written) moved(p processor.Position) bool {
	return w.last != "" && p != "" && p != w.last && p != w.tried
}

// checkMoved reads the checkpoint before a save if a check is due, to find out whether another
// process writes it. It ignores an error of the load: the save will meet the same error.
func (r *Run) checkMoved(ctx context.Context, now time.Time) {
	if r.runner.cfg.Epochs || r.written.last == "" || r.written.reported || !r.runner.moves.due(now) {
		return
	}
	ctx, cancel := r.storeContext(ctx, now)
	defer cancel()
	if r.setCancelSave(cancel) != nil { // lose then ends the load too
		return
	}
	defer r.setCancelSave(nil)
	if p, found, err := r.runner.cfg.Checkpoints.Load(ctx, r.owner()); err == nil && found {
		r.reportIfMoved(p)
	}
}

// reportIfMoved reports, once in a run, that another process has stored p.
func (r *Run) reportIfMoved(p processor.Position) {
	if r.runner.cfg.Epochs || r.written.reported || !r.written.moved(p) {
		return
	}
	r.written.reported = true
	r.report(event.Event{Kind: event.CheckpointMoved, Wrote: r.written.last, Stored: p})
}
