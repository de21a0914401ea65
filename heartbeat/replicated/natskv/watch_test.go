package natskv_test

import (
	"context"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// A watch reports the existing keys, then that it has caught up, then changes and
// deletions, in the order of the revisions. It reports nothing of other groups.
func TestWatch(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		ctx := soon(t)
		cfg := f.config()
		s := f.dial(t, 0, cfg)
		swap(t, f.dial(t, 1, f.config()), record("a"), 0, "of another group")
		a := swap(t, s, record("a"), 0, "first")
		b := swap(t, s, record("b"), 0, "first")
		if err := s.Delete(ctx, record("b"), b); err != nil {
			t.Fatal(err)
		}
		w := watch(t, f.dial(t, 1, cfg), replicated.KindRecord)
		there := w.caughtUp()
		if len(there) != 2 || there[0].Key != record("a") || there[0].Value.Revision != a || string(there[0].Value.Data) != "first" {
			t.Errorf("the watch tells that %v is there", there)
		}
		if len(there) == 2 && (there[1].Key != record("b") || there[1].Value.Data != nil || there[1].Value.Revision <= b) {
			t.Errorf("the watch tells of a deletion at %d as %v", b, there[1])
		}
		a2 := swap(t, s, record("a"), a, "second")
		if e := w.next(); e.Value.Revision != a2 || string(e.Value.Data) != "second" {
			t.Errorf("a change at %d is told as %v", a2, e)
		}
		if err := s.Delete(ctx, record("a"), a2); err != nil {
			t.Fatal(err)
		}
		deleted := w.next()
		if deleted.Value.Data != nil || deleted.Value.Revision <= a2 {
			t.Errorf("a deletion of %d is told as %v", a2, deleted)
		}
		a3 := swap(t, s, record("a"), 0, "")
		if e := w.next(); e.Value.Revision != a3 || a3 <= deleted.Value.Revision || e.Value.Data == nil || len(e.Value.Data) > 0 {
			t.Errorf("an empty version at %d is told as %v", a3, e)
		}
	})
}

// A watch that starts during many writes has reported every existing key when it has caught
// up.
func TestWatchCatchesUp(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		const keys = 300
		cfg := f.config()
		s := f.dial(t, 0, cfg)
		for i := range keys {
			swap(t, s, record(strconv.Itoa(i)), 0, "there")
		}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; ctx.Err() == nil; i++ {
				if _, _, err := increment(ctx, s, record(strconv.Itoa(i*7%keys))); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		}()
		for range 8 {
			told := map[replicated.Key]bool{}
			w := watch(t, f.dial(t, 1, cfg), replicated.KindRecord)
			for _, e := range w.caughtUp() {
				told[e.Key] = true
			}
			if len(told) != keys {
				t.Errorf("the watch has told %d keys when it says that it has told all %d", len(told), keys)
			}
			w.stop()
		}
		stop()
		<-done
	})
}

// A watch without changes stays open, and reports the next change.
func TestWatchOutlastsSilence(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		cfg := f.config()
		cfg.TTL = 2 * time.Second // so that it is silent after 1.5 s without a sign of life
		s := f.dial(t, 0, cfg)
		w := watch(t, f.dial(t, 1, cfg), replicated.KindDocument)
		w.caughtUp()
		select {
		case <-w.done:
			t.Fatalf("the watch broke: %v", w.err)
		case <-time.After(4 * time.Second):
		}
		at := swap(t, s, document, 0, "at last")
		w.await(document, at)
	})
}

// A watch ends as soon as the connection is lost or closed. A new watch waits for the
// connection.
func TestWatchBreaks(t *testing.T) {
	t.Parallel()
	f := mortal(t, 1)
	cfg := f.config()
	cfg.Conn = f.connect(t, 0)
	s := newStore(t, cfg)
	at := swap(t, s, document, 0, "there")
	w := watch(t, s, replicated.KindDocument)
	w.caughtUp()
	f.servers[0].Close()
	if err := w.broken(); !strings.Contains(err.Error(), "connection was lost") {
		t.Errorf("the watch ended with %v", err)
	}
	w = watch(t, s, replicated.KindDocument)
	f.restart(t)
	if there := w.caughtUp(); len(there) != 1 || there[0].Value.Revision != at {
		t.Errorf("the watch tells of %v, want one version at %d", there, at)
	}
	cfg.Conn.Close()
	if err := w.broken(); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("when the connection was closed, the watch ended with %v", err)
	}
	if err := s.Watch(t.Context(), replicated.KindDocument, func(replicated.Event) {}); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("a watch on a closed connection returned %v", err)
	}
	if _, err := s.Get(t.Context(), document); !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("a read on a closed connection returned %v", err)
	}
}

// Everything that a watch has started ends with it: its goroutines, its consumer and its
// listener at the connection.
func TestWatchLeavesNothing(t *testing.T) {
	f := mortal(t, 1)
	s := f.dial(t, 0, f.config())
	swap(t, s, record("a"), 0, "there")
	watch(t, s, replicated.KindRecord).caughtUp()
	before := runtime.NumGoroutine()
	var all []*watching
	for range 30 {
		w := watch(t, s, replicated.KindRecord)
		w.caughtUp()
		all = append(all, w)
	}
	for _, w := range all {
		w.stop()
		if !errors.Is(w.err, context.Canceled) {
			t.Errorf("a watch that was cancelled returned %v", w.err)
		}
	}
	stream, err := f.jetStream(t).Stream(soon(t), "KV_M_rollcall")
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		info, err := stream.Info(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		// The server has a consumer left, and perhaps a few goroutines for this one's.
		goroutines := runtime.NumGoroutine()
		if info.State.Consumers == 1 && goroutines < before+15 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("30 watches have left %d consumers, and %d goroutines where there were %d",
				info.State.Consumers-1, goroutines, before)
		}
	}
}

// Only documents and records can be watched.
func TestWatchOfOthers(t *testing.T) {
	f := alone()
	s := f.dial(t, 0, f.config())
	for _, kind := range []replicated.Kind{0, replicated.KindCheckpoint, 9} {
		if err := s.Watch(t.Context(), kind, func(replicated.Event) {}); err == nil {
			t.Errorf("a watch of %s ended without an error", kind)
		}
	}
}
