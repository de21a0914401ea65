package replicatedtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// watcher runs one Watch, and checks each event.
type watcher struct {
	k      *storeKit
	kind   replicated.Kind
	cancel context.CancelFunc
	ended  chan struct{} // closed when Watch has returned, and err is set
	err    error
	inside atomic.Bool // the sink runs
	pause  atomic.Int64

	mu      sync.Mutex // guards seen
	seen    seen
	changed chan struct{} // has a value after an event
}

// seen is what a watch has reported.
type seen struct {
	caughtUp bool
	times    int // how often it has caught up
	early    int // keys that were present then
	values   map[replicated.Key]replicated.Value
	faults   []string
}

// present counts the keys that are not deleted.
func (s *seen) present() int {
	n := 0
	for _, v := range s.values {
		if v.Data != nil {
			n++
		}
	}
	return n
}

// watch starts a watch.
func (k *storeKit) watch(s replicated.Store, kind replicated.Kind) *watcher {
	ctx, cancel := context.WithCancel(k.Context())
	w := &watcher{
		k: k, kind: kind, cancel: cancel, ended: make(chan struct{}), changed: make(chan struct{}, 1),
		seen: seen{values: map[replicated.Key]replicated.Value{}},
	}
	go func() {
		defer close(w.ended)
		w.err = s.Watch(ctx, kind, w.sink)
	}()
	return w
}

func (w *watcher) sink(e replicated.Event) {
	if w.inside.Swap(true) {
		w.fault("the sink was called while it ran")
	}
	defer w.inside.Store(false)
	if d := time.Duration(w.pause.Load()); d > 0 {
		time.Sleep(d)
	}
	w.mu.Lock()
	w.seen.take(w.kind, e)
	w.mu.Unlock()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

func (w *watcher) fault(what string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen.fault("%s", what)
}

func (s *seen) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

// take notes an event.
func (s *seen) take(kind replicated.Kind, e replicated.Event) {
	if e.Key == (replicated.Key{}) {
		s.caughtUp = true
		s.early = s.present()
		if s.times++; s.times > 1 {
			s.fault("the watch has caught up %d times", s.times)
		}
		return
	}
	before, v := s.values[e.Key], e.Value
	switch {
	case e.Key.Kind != kind:
		s.fault("a watch of %ss reported %s", kind, e.Key)
	case v.Data != nil && v.Revision == 0:
		s.fault("%s was reported with data and without a revision", e.Key)
	case v.Revision != 0 && v.Revision < before.Revision:
		s.fault("%s was reported at revision %d after %d", e.Key, v.Revision, before.Revision)
	case v.Revision == before.Revision && v.Data != nil && !bytes.Equal(v.Data, before.Data):
		s.fault("%s was reported at revision %d with two values", e.Key, v.Revision)
	}
	if v.Revision == 0 {
		v.Revision = before.Revision // the engine gives a deletion no revision
	}
	s.values[e.Key] = replicated.Value{Data: bytes.Clone(v.Data), Revision: v.Revision}
}

// until waits until cond is true of what the watch has reported.
func (w *watcher) until(what string, cond func(s *seen) bool) {
	w.k.Helper()
	t := time.NewTimer(w.k.patience)
	defer t.Stop()
	for !w.is(cond) {
		select {
		case <-w.changed:
		case <-w.ended:
			w.k.Fatalf("the watch ended with %v before this: %s", w.err, what)
		case <-t.C:
			w.k.Fatalf("after %v a watch has not reported this: %s", w.k.patience, what)
		}
	}
}

func (w *watcher) is(cond func(s *seen) bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return cond(&w.seen)
}

// shows waits until the watch has reported this version of a key.
func (w *watcher) shows(key replicated.Key, revision uint64, data string) {
	w.k.Helper()
	w.until(fmt.Sprintf("%s is at revision %d", key, revision), func(s *seen) bool {
		return s.values[key].Revision >= revision
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	if v := w.seen.values[key]; v.Revision != revision || !bytes.Equal(v.Data, []byte(data)) {
		w.k.Errorf("a watch reported %s with %.40q at revision %d, want %.40q at %d", key, v.Data, v.Revision, data, revision)
	}
}

// gone waits until the watch has reported that a key was deleted.
func (w *watcher) gone(key replicated.Key) {
	w.k.Helper()
	w.until(fmt.Sprintf("%s is deleted", key), func(s *seen) bool {
		v, ok := s.values[key]
		return ok && v.Data == nil
	})
}

// early returns how many keys were present when the watch had caught up.
func (w *watcher) early() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.seen.early
}

func (w *watcher) keys() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.seen.values)
}

// stop ends the watch, and fails the test with everything that was wrong.
func (w *watcher) stop() {
	w.k.Helper()
	w.cancel()
	t := time.NewTimer(w.k.patience)
	defer t.Stop()
	select {
	case <-w.ended:
	case <-t.C:
		w.k.Fatalf("a watch has not returned %v after its context ended", w.k.patience)
	}
	if !errors.Is(w.err, context.Canceled) {
		w.k.Errorf("a watch returned %v when its context was cancelled, want that error", w.err)
	}
	w.mu.Lock()
	faults := slices.Clone(w.seen.faults)
	w.mu.Unlock()
	for _, f := range faults[:min(len(faults), 5)] {
		w.k.Error(f)
	}
}
