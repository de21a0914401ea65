package memory_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/shardset"
)

// watchers hears who is woken.
type watchers struct {
	t     *testing.T
	names []string
	wakes []<-chan struct{}
}

func watch(ctx context.Context, t *testing.T, s *memory.Service, names ...string) *watchers {
	t.Helper()
	w := &watchers{t: t, names: names}
	for _, name := range names {
		wake, err := s.Watch(ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		w.wakes = append(w.wakes, wake)
	}
	return w
}

// woken checks who was woken since the last time.
func (w *watchers) woken(after, want string) {
	w.t.Helper()
	synctest.Wait()
	var got []string
	for i, wake := range w.wakes {
		select {
		case <-wake:
			got = append(got, w.names[i])
		default:
		}
	}
	if strings.Join(got, " ") != want {
		w.t.Errorf("after %s %q were woken, want %q", after, got, want)
	}
}

// Exactly those are woken whose answers changed, and who did not hear of it in an
// answer just then.
func TestWakesThoseWhoseAnswersChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, memory.Config{TTL: 6 * time.Second, Shards: shardset.Range("orders", 6)})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		w := watch(ctx, t, s, "a", "b", "c", "d")
		a := join(t, s, "a")
		w.woken("a joined and was told", "")
		b := join(t, s, "b")
		w.woken("b joined", "a")
		a.beat()
		w.woken("a heard what to release", "")
		a.beat()
		w.woken("a released", "b")
		b.beat()
		a.beat()
		w.woken("nothing changed", "")
		c := join(t, s, "c")
		w.woken("c joined", "a b")
		for range 2 {
			a.beat()
			b.beat()
		}
		w.woken("a and b released one each", "c")
		c.beat()

		for range 2 {
			a.beat()
			b.beat()
			c.beat()
		}
		w.woken("all have heard of everything", "")
		c.request.Held = nil
		c.request.Seq++
		if err := s.Leave(t.Context(), c.request); err != nil {
			t.Fatal(err)
		}
		a.beat()
		w.woken("c left and a has beaten", "a b")
		b.beat()
		time.Sleep(2 * time.Second)
		b.beat()
		w.woken("b took over", "")
		time.Sleep(4 * time.Second)
		w.woken("the lease of a ended, with nobody beating", "b")
	})
}

// A change of the list wakes those whom it concerns.
func TestSetShardsWakesWhomItConcerns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, memory.Config{Shards: shardset.Range("orders", 4)})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		a, b := join(t, s, "a"), join(t, s, "b")
		for range 3 {
			a.beat()
			b.beat()
		}
		w := watch(ctx, t, s, "a")
		for _, n := range []int{5, 4} { // the fifth is a's
			if err := s.SetShards(shardset.Range("orders", n)); err != nil {
				t.Fatal(err)
			}
			w.woken(fmt.Sprintf("the list has %d shards", n), "a")
			if got := len(a.beat().Grants); got != n-2 {
				t.Errorf("a was granted %d of %d shards, want %d", got, n, n-2)
			}
		}
	})
}

// A watcher that does not listen is told once, not blocked for.
func TestWakesAreMerged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, memory.Config{Shards: shardset.Range("orders", 16)})
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		a := join(t, s, "a")
		wake, err := s.Watch(ctx, "a")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 15 {
			join(t, s, fmt.Sprint("b", i))
		}
		<-wake
		select {
		case <-wake:
			t.Error("fifteen joins left more than one value in the channel")
		default:
		}
		a.beat()
	})
}
