package natskv_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// Sixteen writers increment a counter: no increment is lost, and none is acknowledged
// twice.
func TestSwapCounts(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		const writers, increments = 16, 6
		cfg := f.config()
		for _, key := range []replicated.Key{document, record("a")} {
			ctx := soon(t)
			var mu sync.Mutex
			acked := map[string]uint64{} // the counts that were acknowledged, with their revisions
			var all sync.WaitGroup
			for i := range writers {
				s := f.dial(t, i, cfg)
				all.Go(func() {
					for range increments {
						count, revision, err := increment(ctx, s, key)
						if err != nil {
							t.Error(err)
							return
						}
						mu.Lock()
						if other, twice := acked[count]; twice {
							t.Errorf("count %s was acknowledged at revisions %d and %d", count, other, revision)
						}
						acked[count] = revision
						mu.Unlock()
					}
				})
			}
			all.Wait()
			v, err := f.dial(t, 0, cfg).Get(ctx, key)
			if want := strconv.Itoa(writers * increments); err != nil || string(v.Data) != want || acked[want] != v.Revision {
				t.Errorf("the count is %s at revision %d (%v), want %s at %d", v.Data, v.Revision, err, want, acked[want])
			}
		}
	})
}

// increment adds one, with as many tries as necessary.
func increment(ctx context.Context, s replicated.Store, k replicated.Key) (count string, revision uint64, err error) {
	for {
		v, err := s.Get(ctx, k)
		if err != nil {
			return "", 0, err
		}
		n, _ := strconv.Atoi(string(v.Data)) // nothing is zero
		count = strconv.Itoa(n + 1)
		revision, err = s.Swap(ctx, k, v.Revision, []byte(count))
		if err == nil || !errors.Is(err, replicated.ErrConflict) {
			return count, revision, err
		}
	}
}

// The only writer of a key never meets a conflict, however fast it writes: the leader of a
// replicated stream may not have finished the last write.
func TestSwapOfSoleWriters(t *testing.T) {
	each(t, func(t *testing.T, f *fleet) {
		cfg, ctx := f.config(), soon(t)
		var all sync.WaitGroup
		for i := range 8 {
			s, key := f.dial(t, i, cfg), record(strconv.Itoa(i))
			all.Go(func() {
				var at uint64
				for n := range 100 {
					var err error
					if at, err = s.Swap(ctx, key, at, []byte("beat")); err != nil {
						t.Errorf("write %d of %s: %v", n, key, err)
						return
					}
				}
			})
		}
		all.Wait()
	})
}

// After a write was acknowledged, no read returns an older version, through any server and
// under load.
func TestReadsAreFresh(t *testing.T) {
	t.Parallel()
	f, ctx := trio(), soon(t)
	cfg := f.config()
	busy, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i := range 4 {
		s, key := f.dial(t, i, cfg), checkpoint(strconv.Itoa(i))
		all.Go(func() {
			for busy.Err() == nil {
				if _, _, err := increment(busy, s, key); err != nil && busy.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	writer := f.dial(t, 0, cfg)
	readers := []replicated.Store{f.dial(t, 0, cfg), f.dial(t, 1, cfg), f.dial(t, 2, cfg)}
	var at uint64
	for n := range 40 {
		at = swap(t, writer, document, at, strconv.Itoa(n))
		for i, r := range readers {
			if v, err := r.Get(ctx, document); err != nil || v.Revision != at {
				t.Fatalf("through server %d revision %d is read (%v) after %d was acknowledged", i, v.Revision, err, at)
			}
		}
	}
	stop()
	all.Wait()
}

// A context without a deadline works, and one that has ended does nothing.
func TestContexts(t *testing.T) {
	f := alone()
	s := f.dial(t, 0, f.config())
	at, err := s.Swap(context.Background(), document, 0, []byte("there"))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := s.Get(context.Background(), document); err != nil || v.Revision != at {
		t.Errorf("revision %d is read (%v), want %d", v.Revision, err, at)
	}
	if err := s.Delete(context.Background(), document, at); err != nil {
		t.Error(err)
	}
}

// A deletion needs a version to delete, even for a key without one.
func TestDeleteOfNothing(t *testing.T) {
	f, ctx := alone(), soon(t)
	s := f.dial(t, 0, f.config())
	at := swap(t, s, record("a"), 0, "there")
	for _, key := range []replicated.Key{record("a"), record("b"), document} {
		if err := s.Delete(ctx, key, 0); !errors.Is(err, replicated.ErrConflict) {
			t.Errorf("a deletion of revision 0 of %s returned %v, want a conflict", key, err)
		}
	}
	if v := get(t, s, record("a")); v.Revision != at {
		t.Errorf("the record is at revision %d, want %d", v.Revision, at)
	}
}
