package runner

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/processor"
)

// A service without epochs knows members by their names only. Two processes of one name both
// get all shards of the name, and each one's commits are taken. Nobody hears of that, but
// the checkpoints show it: they are not what this process wrote last.

// lookEvery is how often a worker looks for that, all its shards together: two of one name
// meet at every shard, so any one shows it, and a look costs a request.
const lookEvery = 10 * time.Second

// looks spaces the looks of all runs.
type looks struct {
	mu   sync.Mutex // guards the field below
	next time.Time
}

func (l *looks) due(now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.next) {
		return false
	}
	l.next = now.Add(lookEvery)
	return true
}

// written is what a run has written to its checkpoint. Whoever holds the run's slot, or its
// goroutine between two attempts, owns it.
type written struct {
	last  processor.Position // stored for certain; empty: nothing yet
	tried processor.Position // the newest of which nobody knows whether it was stored
	told  bool
}

// saved notes how a save ended.
func (w *written) saved(p processor.Position, err error) {
	if err != nil {
		w.tried = p
		return
	}
	w.last = p
}

// moved reports whether somebody else has stored p.
func (w *written) moved(p processor.Position) bool {
	return w.last != "" && p != "" && p != w.last && p != w.tried
}

// look reads the checkpoint before a save, now and then, where only that can show that
// somebody else writes it. A look that fails says nothing: the save will.
func (r *Run) look(ctx context.Context, now time.Time) {
	if r.runner.cfg.Epochs || r.written.last == "" || r.written.told || !r.runner.looks.due(now) {
		return
	}
	ctx, cancel := r.storeContext(ctx, now)
	defer cancel()
	if r.saving(cancel) != nil { // a loss ends the look as it ends a save
		return
	}
	defer r.saving(nil)
	if p, found, err := r.runner.cfg.Checkpoints.Load(ctx, r.owner()); err == nil && found {
		r.compare(p)
	}
}

// compare has it told, once in a run, if somebody else has stored p.
func (r *Run) compare(p processor.Position) {
	if r.runner.cfg.Epochs || r.written.told || !r.written.moved(p) {
		return
	}
	r.written.told = true
	r.report(event.Event{Kind: event.CheckpointMoved, Wrote: r.written.last, Stored: p})
}
