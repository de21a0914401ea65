package natskv_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

// mortal starts a fleet for one test, which may stop its servers.
func mortal(t *testing.T, nodes int) *fleet {
	t.Helper()
	f := &fleet{replicas: nodes}
	var err error
	if nodes == 1 {
		f.servers = make([]*embedded.Server, 1)
		f.servers[0], err = embedded.Start(filepath.Join(t.TempDir(), "alone"), lazy)
	} else {
		f.servers, err = embedded.StartCluster(soon(t), t.TempDir(), nodes, lazy)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { embedded.CloseAll(f.servers) })
	return f
}

// restarts is how often a test restarts all servers. A cluster takes an election each time.
func (f *fleet) restarts() int {
	if len(f.servers) == 1 {
		return 3
	}
	return 1
}

// restart stops all servers, and starts them in the same folders at the same addresses.
func (f *fleet) restart(t *testing.T) {
	t.Helper()
	embedded.CloseAll(f.servers)
	for i, s := range f.servers {
		again, err := embedded.Start(s.Dir(), s.Config())
		if err != nil {
			t.Fatal(err)
		}
		f.servers[i] = again
	}
	for _, s := range f.servers {
		if err := s.Ready(soon(t)); err != nil {
			t.Fatal(err)
		}
	}
}

// try repeats a call until its outcome is known: it takes a moment after a restart until
// a leader is there.
func try(t *testing.T, call func(ctx context.Context) error) error {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
		err := call(ctx)
		cancel()
		if err == nil || errors.Is(err, replicated.ErrConflict) {
			return err
		}
		if time.Now().After(end) {
			t.Fatalf("after a minute still %v", err)
		}
	}
}

func get(t *testing.T, s replicated.Store, k replicated.Key) (v replicated.Value) {
	t.Helper()
	_ = try(t, func(ctx context.Context) (err error) { v, err = s.Get(ctx, k); return err })
	return v
}

// swap swaps, and fails the test if that conflicts.
func swap(t *testing.T, s replicated.Store, k replicated.Key, old uint64, data string) (revision uint64) {
	t.Helper()
	if err := try(t, func(ctx context.Context) (err error) {
		revision, err = s.Swap(ctx, k, old, []byte(data))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return revision
}

// eachMortal runs a test on one server and on three, which are its own.
func eachMortal(t *testing.T, run func(t *testing.T, f *fleet)) {
	t.Parallel()
	for name, nodes := range map[string]int{"R1": 1, "R3": 3} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, mortal(t, nodes))
		})
	}
}

// When all nodes restart, the records in their memory are lost. They can be written again
// at once. No revision is used twice, although the servers start with their old numbers.
func TestRestartLosesRecords(t *testing.T) {
	eachMortal(t, func(t *testing.T, f *fleet) {
		cfg := f.config()
		veteran, other := f.dial(t, 0, cfg), f.dial(t, 1, cfg)
		doc := swap(t, veteran, document, 0, "the group")
		cp := swap(t, veteran, checkpoint("orders/0"), 0, "a position")
		var highest uint64
		for range 20 {
			at := get(t, other, record("a")).Revision
			highest = swap(t, veteran, record("a"), at, "before")
		}
		for range f.restarts() {
			f.restart(t)
			if v := get(t, veteran, document); v.Revision != doc || string(v.Data) != "the group" {
				t.Errorf("the document is %q at %d, want it as it was at %d", v.Data, v.Revision, doc)
			}
			if v := get(t, other, checkpoint("orders/0")); v.Revision != cp {
				t.Errorf("the checkpoint is at %d, want it at %d", v.Revision, cp)
			}
			if err := try(t, func(ctx context.Context) error {
				_, err := other.Swap(ctx, record("a"), highest, []byte("over what is gone"))
				return err
			}); !errors.Is(err, replicated.ErrConflict) {
				t.Fatalf("a swap over a lost record returned %v, want a conflict", err)
			}
			young := f.dial(t, 2, cfg)
			for _, s := range []replicated.Store{veteran, young, other} {
				v := get(t, s, record("a"))
				at := swap(t, s, record("a"), v.Revision, "after")
				if at <= highest {
					t.Fatalf("after a restart a version has revision %d; there was %d before", at, highest)
				}
				highest = at
			}
		}
	})
}

// Records in files survive a restart.
func TestRestartKeepsRecordsOnDisk(t *testing.T) {
	eachMortal(t, func(t *testing.T, f *fleet) {
		cfg := f.config()
		cfg.RecordsOnDisk = true
		s := f.dial(t, 0, cfg)
		at := swap(t, s, record("a"), 0, "kept")
		for range f.restarts() {
			f.restart(t)
			if v := get(t, s, record("a")); v.Revision != at || string(v.Data) != "kept" {
				t.Fatalf("the record is %q at %d, want it kept at %d", v.Data, v.Revision, at)
			}
			at = swap(t, s, record("a"), at, "kept")
		}
	})
}

// A watch ends when the servers restart, with lost records too. A new watch reports what is
// there, and goes on.
func TestRestartBreaksWatches(t *testing.T) {
	eachMortal(t, func(t *testing.T, f *fleet) {
		cfg := f.config()
		cfg.TTL = 4 * time.Second
		s := f.dial(t, 0, cfg)
		swap(t, s, document, 0, "the group")
		swap(t, s, record("a"), 0, "before")
		for range f.restarts() {
			d, r := watch(t, s, replicated.KindDocument), watch(t, s, replicated.KindRecord)
			d.caughtUp()
			r.caughtUp()
			f.restart(t)
			for _, w := range []*watching{d, r} {
				if err := w.broken(); err == nil || errors.Is(err, context.Canceled) {
					t.Fatalf("the watch ended with %v", err)
				}
			}
		}
		var d, r *watching
		for d = watch(t, s, replicated.KindDocument); !d.begins(); d = watch(t, s, replicated.KindDocument) {
		}
		for r = watch(t, s, replicated.KindRecord); !r.begins(); r = watch(t, s, replicated.KindRecord) {
		}
		at := swap(t, s, document, get(t, s, document).Revision, "the group")
		d.await(document, at)
		at = swap(t, s, record("a"), get(t, s, record("a")).Revision, "after")
		r.await(record("a"), at)
	})
}

// A call that cannot be sent fails when its time is over, and is not sent after the
// connection is back.
func TestNothingIsSentLater(t *testing.T) {
	t.Parallel()
	f := mortal(t, 1)
	s := f.dial(t, 0, f.config())
	at := swap(t, s, document, 0, "before")
	w := watch(t, s, replicated.KindDocument)
	w.caughtUp()
	f.servers[0].Close()
	_ = w.broken() // the connection knows it, too
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := s.Swap(ctx, document, at, []byte("late")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a swap without a connection returned %v", err)
	}
	f.restart(t)
	again := watch(t, s, replicated.KindDocument)
	if there := again.caughtUp(); len(there) != 1 || there[0].Value.Revision != at {
		t.Errorf("after a swap that failed the watch tells of %v, want one version at %d", there, at)
	}
}
