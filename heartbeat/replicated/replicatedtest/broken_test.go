package replicatedtest

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
)

// broken is a Clocked link with some calls replaced. Nil: the call is not replaced.
type broken struct {
	memstore.Clocked
	*shared

	get     func(ctx context.Context, k replicated.Key) (replicated.Value, error)
	swap    func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error)
	quietly func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error)
	delete  func(ctx context.Context, k replicated.Key, old uint64) error
	watch   func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error
	older   func(ctx context.Context, age time.Duration) ([]replicated.Event, time.Duration, error)
	listing func(list []replicated.Key) []replicated.Key
}

// shared is the state that all links of a broken engine share.
type shared struct {
	store *memstore.Store

	mu       sync.Mutex // guards the fields below
	watching int
	data     map[replicated.Key][]byte
	written  map[replicated.Key]replicated.Value // the newest of each key, deleted since or not
	deleted  map[replicated.Key]bool
	created  map[replicated.Key]uint64 // the revision before the last creation of a key
}

// own returns the link without replaced calls.
func (b *broken) own() memstore.Clocked { return b.Clocked }

func (b *broken) Get(ctx context.Context, k replicated.Key) (replicated.Value, error) {
	if b.get != nil {
		return b.get(ctx, k)
	}
	return b.own().Get(ctx, k)
}

func (b *broken) Swap(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
	swap := b.swap
	if swap == nil {
		swap = b.own().Swap
	}
	r, err := swap(ctx, k, old, data)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil && r > b.written[k].Revision {
		b.written[k] = replicated.Value{Data: bytes.Clone(data), Revision: r}
	}
	return r, err
}

func (b *broken) SwapQuietly(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
	if b.quietly != nil {
		return b.quietly(ctx, k, old, data)
	}
	return b.own().SwapQuietly(ctx, k, old, data)
}

func (b *broken) Delete(ctx context.Context, k replicated.Key, old uint64) error {
	if b.delete != nil {
		return b.delete(ctx, k, old)
	}
	return b.own().Delete(ctx, k, old)
}

func (b *broken) Watch(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
	if b.watch != nil {
		return b.watch(ctx, kind, sink)
	}
	return b.own().Watch(ctx, kind, sink)
}

func (b *broken) OlderRecords(ctx context.Context, age time.Duration) ([]replicated.Event, time.Duration, error) {
	if b.older != nil {
		return b.older(ctx, age)
	}
	return b.own().OlderRecords(ctx, age)
}

func (b *broken) Keys(ctx context.Context, kind replicated.Kind) ([]replicated.Key, error) {
	list, err := b.own().Keys(ctx, kind)
	if b.listing != nil {
		list = b.listing(list)
	}
	return list, err
}

// mutant is a store that breaks one rule, and the cases that must notice it. The first case
// was made for the mutant.
type mutant struct {
	name  string
	by    []string
	build func(b *broken)
}

func (m mutant) config() StoreConfig {
	return StoreConfig{New: func(testing.TB) Engine {
		s := &shared{
			store: memstore.New(), data: map[replicated.Key][]byte{}, deleted: map[replicated.Key]bool{},
			created: map[replicated.Key]uint64{}, written: map[replicated.Key]replicated.Value{},
		}
		return Engine{Dial: func() (replicated.Store, error) {
			l := s.store.Dial("process")
			l.Set(memstore.Faults{MinLatency: time.Microsecond, MaxLatency: time.Millisecond})
			b := &broken{Clocked: memstore.Clocked{Link: l}, shared: s}
			if m.build != nil {
				m.build(b)
			}
			return b, nil
		}}
	}}.complete()
}

// events changes the events of a watch: change returns what is reported instead of each
// event.
func (b *broken) events(change func(e replicated.Event) []replicated.Event) {
	b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
		return b.own().Watch(ctx, kind, func(e replicated.Event) {
			for _, e := range change(e) {
				sink(e)
			}
		})
	}
}

// keys changes the names of all keys. Watches report the names that back returns.
func (b *broken) keys(change, back func(name string) string) {
	to := func(k replicated.Key) replicated.Key { k.Name = change(k.Name); return k }
	b.get = func(ctx context.Context, k replicated.Key) (replicated.Value, error) { return b.own().Get(ctx, to(k)) }
	b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
		return b.own().Swap(ctx, to(k), old, data)
	}
	b.delete = func(ctx context.Context, k replicated.Key, old uint64) error { return b.own().Delete(ctx, to(k), old) }
	b.events(func(e replicated.Event) []replicated.Event {
		e.Key.Name = back(e.Key.Name)
		return []replicated.Event{e}
	})
}

// over replaces Swap: change returns the revision and the data to write instead. After a
// conflict it is asked again, and Swap retries if the revision has changed.
func (b *broken) over(change func(k replicated.Key, old uint64, data []byte) (uint64, []byte)) {
	b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
		for {
			over, data := change(k, old, data)
			r, err := b.own().Swap(ctx, k, over, data)
			if again, _ := change(k, old, data); !errors.Is(err, replicated.ErrConflict) || again == over {
				return r, err
			}
		}
	}
}

// force overwrites any version.
func (b *broken) force(ctx context.Context, k replicated.Key, data []byte) (uint64, error) {
	for {
		r, err := b.own().Swap(ctx, k, b.now(k).Revision, data)
		if !errors.Is(err, replicated.ErrConflict) {
			return r, err
		}
	}
}

// now returns the current value of a key.
func (b *broken) now(k replicated.Key) replicated.Value { return b.store.Value(k) }

// Each mutant fails in the cases that it names. A store without a mutation passes them.
// Each case has a mutant.
func TestMutantsAreCaught(t *testing.T) {
	all := map[string]storeCase{}
	for _, c := range storeCases() {
		if _, twice := all[c.name]; twice {
			t.Fatalf("there are two cases %q", c.name)
		}
		all[c.name] = c
	}
	used := map[string]bool{}
	for _, m := range mutants() {
		for _, name := range m.by {
			c, ok := all[name]
			if !ok {
				t.Fatalf("mutant %q: there is no case %q", m.name, name)
			}
			if !used[name] {
				used[name] = true
				if r := play(t, c, mutant{}.config()); r.failed || r.skipped {
					t.Errorf("%s without a mutation: failed %v, skipped %v: %s", name, r.failed, r.skipped, r.first)
				}
			}
			r := play(t, c, m.config())
			if !r.failed {
				t.Errorf("mutant %q survives %s (skipped: %v)", m.name, name, r.skipped)
			}
			t.Logf("%s: %s: %.200s", m.name, name, r.first)
		}
	}
	for name := range all {
		if !used[name] {
			t.Errorf("no mutant is for the case %s", name)
		}
	}
}
