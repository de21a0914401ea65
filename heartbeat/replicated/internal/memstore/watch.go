package memstore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// watch is one running Watch. Store.mu guards all fields except wake.
type watch struct {
	kind   replicated.Kind
	wake   chan struct{} // has a value if the queue or broken may have changed
	queue  []pending
	newest map[replicated.Key]uint64 // the revision of each key's last event in queue
	broken error
}

// pending is an event that the watch has not reported yet.
type pending struct {
	event replicated.Event
	at    time.Time // when it was made
}

// signal wakes the watch. Several signals before the watch runs count as one.
func (w *watch) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Watch implements replicated.Store.
func (l *Link) Watch(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	_, breaks, _ := l.state()
	if err := l.open(ctx); err != nil {
		return err
	}
	w, err := l.memory.watch(kind)
	if err != nil {
		return err
	}
	defer l.memory.unwatch(w)
	for {
		e, ok, err := l.memory.next(w)
		if err != nil {
			return err
		}
		var until time.Time
		if ok {
			f := l.Faults()
			until = e.at.Add(f.MinLatency/2 + f.WatchLag)
		}
		if err := l.ready(ctx, w, breaks, ok, until); err != nil {
			return err
		}
		if ok {
			sink(e.event)
		}
	}
}

// open waits until the request for the watch has reached the store.
func (l *Link) open(ctx context.Context) error {
	for {
		f, _, changed := l.state()
		if f.Down {
			return ErrDown
		}
		if !f.Frozen && !f.DropRequests && !f.HoldRequests {
			return l.travel(ctx, l.latency())
		}
		if f.Frozen {
			<-changed
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return l.end(ctx)
		}
	}
}

// ready waits until the watch may report its event: at until, or when a fault ends, if that is
// later. If event is false, ready waits for the next one.
func (l *Link) ready(ctx context.Context, w *watch, breaks int, event bool, until time.Time) error {
	for {
		f, now, changed := l.state()
		wake, done := (<-chan struct{})(w.wake), ctx.Done()
		var due <-chan time.Time
		switch wait := time.Until(until); {
		case f.Frozen:
			wake, done = nil, nil
		case now != breaks:
			return ErrBroken
		case f.Down:
			return ErrDown
		case ctx.Err() != nil:
			return ctx.Err()
		case f.HoldWatches:
			wake = nil
		case event && wait <= 0:
			return nil
		case event:
			wake = nil
			t := time.NewTimer(wait)
			defer t.Stop()
			due = t.C
		}
		select {
		case <-changed:
		case <-due:
		case <-wake:
			return nil
		case <-done:
		}
	}
}

// watch starts a watch, and queues all existing keys for it.
func (m *Store) watch(kind replicated.Kind) (*watch, error) {
	w := &watch{kind: kind, wake: make(chan struct{}, 1), newest: map[replicated.Key]uint64{}}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return nil, ErrDown
	}
	now := time.Now()
	for k := range m.history {
		if v := m.newest(k); k.Kind == kind && v.Data != nil {
			w.add(k, version{Value: v.Value, at: now})
		}
	}
	slices.SortFunc(w.queue, func(a, b pending) int {
		return cmp.Compare(a.event.Value.Revision, b.event.Value.Revision)
	})
	w.add(replicated.Key{}, version{at: now})
	m.watches[w] = struct{}{}
	return w, nil
}

func (m *Store) unwatch(w *watch) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.watches, w)
}

func (w *watch) add(k replicated.Key, v version) {
	w.queue = append(w.queue, pending{event: replicated.Event{Key: k, Value: v.Value}, at: v.at})
	w.newest[k] = v.Revision
}

// enqueue queues a version for the watches of its kind, and returns these watches. The caller holds
// mu, and signals the watches after it has released mu.
func (m *Store) enqueue(k replicated.Key, v version) []*watch {
	var matching []*watch
	for w := range m.watches {
		if w.kind == k.Kind {
			w.add(k, v)
			matching = append(matching, w)
		}
	}
	return matching
}

// next removes the next event from the queue of a watch, and returns it. After SetCompact, it
// leaves out overwritten versions.
func (m *Store) next(w *watch) (pending, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for w.broken == nil && len(w.queue) > 0 {
		e := w.queue[0]
		w.queue = w.queue[1:]
		if !m.compact || e.event.Value.Revision == w.newest[e.event.Key] {
			return e, true, nil
		}
	}
	return pending{}, false, w.broken
}
