package runner

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/processor"
)

// A service without epochs knows members only by their names. Two processes with one name
// both get all shards of that name, and the store accepts the commits of both. Only the
// checkpoints show it: they are not what this process wrote last.

// moveCheckEvery is how often a worker checks that, for all its shards together. A check costs
// a request, and one shard is enough: two processes with one name meet at every shard.
const moveCheckEvery = 10 * time.Second

// moveChecks says when the next check of any run is due.
type moveChecks struct {
	mu   sync.Mutex // guards the field below
	next time.Time
}

func (m *moveChecks) due(now time.Time) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if now.Before(m.next) {
		return false
	}
	m.next = now.Add(moveCheckEvery)
	return true
}

// written has what a run wrote to its checkpoint. The commit in flight owns it, and between
// two attempts the run's goroutine.
type written struct {
	last     processor.Position // stored for certain; empty: nothing yet
	tried    processor.Position // the newest that may be stored or not
	reported bool
}

// saved takes the result of a save.
func (w *written) saved(p processor.Position, err error) {
	if err != nil {
		w.tried = p
		return
	}
	w.last = p
}

// moved reports whether another process has stored p.
func (w *written) moved(p processor.Position) bool {
	return w.last != "" && p != "" && p != w.last && p != w.tried
}

// checkMoved reads the checkpoint before a save, now and then, where only that can show that
// another process writes it. An error does not matter here: the save will have it too.
func (r *Run) checkMoved(ctx context.Context, now time.Time) {
	if r.runner.cfg.Epochs || r.written.last == "" || r.written.reported || !r.runner.moves.due(now) {
		return
	}
	ctx, cancel := r.storeContext(ctx, now)
	defer cancel()
	if r.setCancelSave(cancel) != nil { // a loss ends the load as it ends a save
		return
	}
	defer r.setCancelSave(nil)
	if p, found, err := r.runner.cfg.Checkpoints.Load(ctx, r.owner()); err == nil && found {
		r.reportIfMoved(p)
	}
}

// reportIfMoved tells the observer, once in a run, if another process has stored p.
func (r *Run) reportIfMoved(p processor.Position) {
	if r.runner.cfg.Epochs || r.written.reported || !r.written.moved(p) {
		return
	}
	r.written.reported = true
	r.report(event.Event{Kind: event.CheckpointMoved, Wrote: r.written.last, Stored: p})
}
