package memstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// observer is a running watch of records over a link.
type observer struct {
	stop context.CancelFunc

	mu       sync.Mutex // guards the fields below
	reported []string   // "name=data" of each event, "." for having caught up
	err      error      // why it ended
	ended    bool
}

func (h *observer) sink(e replicated.Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Key == (replicated.Key{}) {
		h.reported = append(h.reported, ".")
		return
	}
	h.reported = append(h.reported, e.Key.Name+"="+string(e.Value.Data))
}

func (h *observer) end(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err, h.ended = err, true
}

// watch starts a watch, and waits until it has reported what it can.
func (b *bench) watch(l *Link) *observer {
	ctx, cancel := context.WithCancel(b.Context())
	h := &observer{stop: cancel}
	go func() { h.end(l.Watch(ctx, replicated.KindRecord, h.sink)) }() // ends with the test's context
	synctest.Wait()
	return h
}

// tells fails the test unless the watch has reported exactly this since the last call.
func (b *bench) tells(h *observer, want ...string) {
	b.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !slices.Equal(h.reported, want) {
		b.Errorf("the watch reported %q, want %q", h.reported, want)
	}
	h.reported = nil
}

// broke fails the test unless the watch has ended with this error.
func (b *bench) broke(h *observer, want error) {
	b.Helper()
	synctest.Wait()
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.ended || !errors.Is(h.err, want) {
		b.Errorf("the watch ended: %v, with %v; want %v", h.ended, h.err, want)
	}
}

func (b *bench) writes(values ...string) {
	for _, v := range values {
		_, _ = b.write(b.sound, record("a"), v, second)
	}
}

func TestWatchLag(t *testing.T) {
	onBench(t, func(b *bench) {
		h := b.watch(b.other)
		b.tells(h, ".")
		b.other.Set(Faults{WatchLag: second})
		b.writes("1", "2")
		b.tells(h)
		time.Sleep(second - 1)
		b.tells(h)
		time.Sleep(time.Nanosecond)
		b.tells(h, "a=1", "a=2")
		h.stop()
		b.broke(h, context.Canceled)
	})
}

func TestWatchHeldAndFrozen(t *testing.T) {
	for name, f := range map[string]Faults{"held": {HoldWatches: true}, "frozen": {Frozen: true}} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				h := b.watch(b.other)
				b.tells(h, ".")
				b.other.Set(f)
				b.writes("1")
				time.Sleep(time.Hour)
				b.tells(h)
				b.other.Set(Faults{})
				b.tells(h, "a=1")
				b.other.Set(f)
				h.stop()
				if !f.Frozen {
					b.broke(h, context.Canceled)
				}
				b.tells(h)
				b.other.Set(Faults{})
				b.broke(h, context.Canceled)
			})
		})
	}
}

func TestWatchBreaks(t *testing.T) {
	onBench(t, func(b *bench) {
		h, sound := b.watch(b.other), b.watch(b.sound)
		b.other.BreakWatches()
		b.broke(h, ErrBroken)
		h = b.watch(b.other)
		b.other.Set(Faults{Down: true})
		b.broke(h, ErrDown)
		h = b.watch(b.other)
		b.broke(h, ErrDown)
		b.other.Set(cut)
		h = b.watch(b.other)
		b.tells(h)
		b.other.Set(Faults{})
		b.tells(h, ".")
		b.store.SetDown(true)
		b.broke(h, ErrDown)
		b.broke(sound, ErrDown)
		b.broke(b.watch(b.sound), ErrDown)
	})
}

// A compacting store leaves out versions that were overwritten before they were reported, and
// never the last version.
func TestWatchCompacts(t *testing.T) {
	onBench(t, func(b *bench) {
		b.store.SetCompact(true)
		h := b.watch(b.other)
		b.tells(h, ".")
		b.other.Set(Faults{WatchLag: second})
		b.writes("1")
		synctest.Wait()
		b.writes("2", "3", "4")
		time.Sleep(2 * second)
		b.tells(h, "a=1", "a=4") // the first was on its way already
	})
}

func TestQuietSwapsAreNotTold(t *testing.T) {
	onBench(t, func(b *bench) {
		h := b.watch(b.other)
		b.writes("1")
		b.tells(h, ".", "a=1")
		if _, err := (Clocked{b.sound}).SwapQuietly(b.Context(), record("a"), b.store.Value(record("a")).Revision, []byte("1")); err != nil {
			b.Fatal(err)
		}
		b.tells(h)
	})
}

// A store that was rolled back has its old versions, and uses the revisions of the lost ones
// again unless it skips them.
func TestRollback(t *testing.T) {
	onBench(t, func(b *bench) {
		b.writes("kept")
		s := b.store.Snapshot()
		h := b.watch(b.other)
		first, _ := b.sound.Swap(b.Context(), record("b"), 0, []byte("lost"))
		b.writes("lost")
		b.store.Rollback(s)
		b.is("kept")
		b.broke(h, ErrBroken)
		h = b.watch(b.other)
		b.tells(h, "a=kept", ".")
		again, err := b.sound.Swap(b.Context(), record("c"), 0, []byte("new"))
		if err != nil || again != first {
			b.Errorf("the first revision after a rollback is %d, %v; want %d, which was lost", again, err, first)
		}
		b.store.Rollback(s)
		b.is("kept")
		b.store.Skip(100)
		if later, _ := b.sound.Swap(b.Context(), record("c"), 0, []byte("new")); later != first+100 {
			b.Errorf("the first revision after a rollback and a jump is %d, want %d", later, first+100)
		}
	})
}

func TestWipe(t *testing.T) {
	onBench(t, func(b *bench) {
		b.writes("lost")
		doc, _ := b.sound.Swap(b.Context(), document, 0, []byte("kept"))
		h := b.watch(b.other)
		b.store.Wipe(replicated.KindRecord)
		b.is("")
		b.broke(h, ErrBroken)
		if v := b.store.Value(document); v.Revision != doc {
			b.Errorf("the document is %v after the records were wiped", v)
		}
		if r, err := b.sound.Swap(b.Context(), record("a"), 0, []byte("new")); err != nil || r <= doc {
			b.Errorf("the first revision after a wipe is %d, %v; want one after %d", r, err, doc)
		}
	})
}

func TestLinksAreListed(t *testing.T) {
	onBench(t, func(b *bench) {
		if list := b.store.Links(); len(list) != 2 || list[0] != b.sound || list[1].String() != "other" {
			b.Errorf("the links are %v", list)
		}
		b.other.Set(Faults{Stale: second})
		b.other.Adjust(func(f *Faults) { f.Down = true })
		if f := b.other.Faults(); f != (Faults{Stale: second, Down: true}) {
			b.Errorf("the faults are %+v", f)
		}
	})
}
