package natskv_test

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// watching is a running watch.
type watching struct {
	t      testing.TB
	events chan replicated.Event
	done   chan struct{} // closed when Watch has returned
	err    error         // of Watch; read it after done
	cancel context.CancelFunc
}

// watch starts a watch that ends with the test.
func watch(t testing.TB, s replicated.Store, kind replicated.Kind) *watching {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watching{t: t, events: make(chan replicated.Event, 10_000), done: make(chan struct{}), cancel: cancel}
	go func() {
		defer close(w.done)
		w.err = s.Watch(ctx, kind, func(e replicated.Event) { w.events <- e })
	}()
	t.Cleanup(w.stop)
	return w
}

func (w *watching) stop() {
	w.cancel()
	<-w.done
}

// next returns the next event. It fails the test if the watch breaks.
func (w *watching) next() replicated.Event {
	w.t.Helper()
	select {
	case e := <-w.events:
		return e
	case <-w.done:
		w.t.Fatalf("the watch broke: %v", w.err)
	case <-time.After(20 * time.Second):
		w.t.Fatal("the watch has told nothing for 20 s")
	}
	panic("not reached")
}

// caughtUp waits until the watch has caught up, and returns what it has reported before
// that.
func (w *watching) caughtUp() (there []replicated.Event) {
	w.t.Helper()
	for {
		e := w.next()
		if e.Key == (replicated.Key{}) {
			return there
		}
		there = append(there, e)
	}
}

// begins waits until the watch has caught up, or ends.
func (w *watching) begins() bool {
	for {
		select {
		case e := <-w.events:
			if e.Key == (replicated.Key{}) {
				return true
			}
		case <-w.done:
			return false
		}
	}
}

// await waits until the watch reports a version.
func (w *watching) await(k replicated.Key, revision uint64) replicated.Event {
	w.t.Helper()
	for {
		if e := w.next(); e.Key == k && e.Value.Revision >= revision {
			return e
		}
	}
}

// broken waits until the watch has ended, and returns its error.
func (w *watching) broken() error {
	w.t.Helper()
	select {
	case <-w.done:
	case <-time.After(20 * time.Second):
		w.t.Fatal("the watch has not noticed for 20 s")
	}
	return w.err
}
