package memstore

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// Link is the connection of one process to a Store. A test can make it faulty at any time.
// It implements replicated.Store and replicated.Lister; Clocked adds
// replicated.RecordClock. Safe for concurrent use.
//
// In a synctest bubble, no link may be Frozen at the end of the test, because calls on such a link
// never return.
type Link struct {
	memory *Store
	name   string

	mu      sync.Mutex // guards everything below; never held across a channel
	faults  Faults
	breaks  int           // how often BreakWatches was called; a watch breaks when it changes
	changed chan struct{} // closed and replaced when the faults or breaks change
	held    []request     // requests whose callers have given up during HoldRequests
}

var _ replicated.Store = (*Link)(nil)

func (l *Link) String() string { return l.name }

// Set replaces the faults of the link. Calls that waited for the end of a fault continue.
func (l *Link) Set(f Faults) {
	held := l.change(func() { l.faults = f })
	if f.DropRequests {
		return // the held requests are lost
	}
	for _, r := range held {
		_, _ = l.memory.apply(r, f) // its caller has given up
	}
}

// Adjust changes the current faults of the link.
func (l *Link) Adjust(change func(f *Faults)) {
	f := l.Faults()
	change(&f)
	l.Set(f)
}

// Faults returns the link's faults.
func (l *Link) Faults() Faults {
	f, _, _ := l.state()
	return f
}

// BreakWatches ends the running watches with ErrBroken.
func (l *Link) BreakWatches() { l.change(func() { l.breaks++ }) }

// change makes a change and wakes the waiting calls. It returns the held requests if the
// store must execute them now.
func (l *Link) change(do func()) (released []request) {
	l.mu.Lock()
	do()
	changed := l.changed
	l.changed = make(chan struct{})
	if !l.faults.HoldRequests {
		released, l.held = l.held, nil
	}
	l.mu.Unlock()
	close(changed)
	return released
}

// state returns the faults, the number of breaks, and a channel that is closed when one of them
// changes.
func (l *Link) state() (Faults, int, <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.faults, l.breaks, l.changed
}

// Get implements replicated.Store.
func (l *Link) Get(ctx context.Context, k replicated.Key) (replicated.Value, error) {
	return l.call(ctx, request{op: opGet, key: k})
}

// Swap implements replicated.Store. Data must not be empty.
func (l *Link) Swap(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
	return l.swap(ctx, request{op: opSwap, key: k, old: old, data: data})
}

// Delete implements replicated.Store.
func (l *Link) Delete(ctx context.Context, k replicated.Key, old uint64) error {
	_, err := l.call(ctx, request{op: opDelete, key: k, old: old})
	return err
}

// Keys implements replicated.Lister.
func (l *Link) Keys(ctx context.Context, kind replicated.Kind) ([]replicated.Key, error) {
	if _, err := l.call(ctx, request{op: opGet, key: replicated.Key{Kind: kind}}); err != nil {
		return nil, err
	}
	return l.memory.keys(kind), nil
}

func (l *Link) swap(ctx context.Context, r request) (uint64, error) {
	if len(r.data) == 0 {
		return 0, errors.New("memstore: a value of no bytes")
	}
	r.data = slices.Clone(r.data)
	v, err := l.call(ctx, r)
	return v.Revision, err
}

// call sends a request to the store, and returns the answer.
func (l *Link) call(ctx context.Context, r request) (replicated.Value, error) {
	if err := ctx.Err(); err != nil {
		return replicated.Value{}, err
	}
	way := l.latency() / 2
	if err := l.send(ctx, r, way); err != nil {
		return replicated.Value{}, err
	}
	f := l.Faults()
	v, err := l.memory.apply(r, f)
	if f.DropAnswers {
		<-ctx.Done()
	}
	if end := l.travel(ctx, way); end != nil {
		return replicated.Value{}, end
	}
	if err == nil && r.op != opGet && l.memory.chance(f.LostAnswers) {
		return replicated.Value{}, ErrLost
	}
	return v, err
}

// send waits until the request reaches the store. If it returns an error, the store may still
// execute the request, now or later.
func (l *Link) send(ctx context.Context, r request, way time.Duration) error {
	for {
		f, _, changed := l.state()
		switch {
		case f.Frozen:
			<-changed
			continue
		case f.Down:
			return ErrDown
		case f.DropRequests:
			<-ctx.Done()
			return l.end(ctx)
		case f.HoldRequests:
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				l.hold(r)
				return l.end(ctx)
			}
		}
		break
	}
	err := l.travel(ctx, way)
	if err != nil && l.memory.chance(0.5) {
		_, _ = l.memory.apply(r, Faults{}) // it was already on its way
	}
	return err
}

// hold keeps a request until the end of HoldRequests. Its caller has given up.
func (l *Link) hold(r request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.faults.HoldRequests {
		l.held = append(l.held, r)
	}
}

// travel waits for d, or until ctx ends. While the process is frozen, it waits longer.
func (l *Link) travel(ctx context.Context, d time.Duration) error {
	if d > 0 && ctx.Err() == nil {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	}
	return l.end(ctx)
}

// end waits while the process is frozen, and returns the context's error.
func (l *Link) end(ctx context.Context) error {
	for {
		f, _, changed := l.state()
		if !f.Frozen {
			return ctx.Err()
		}
		<-changed
	}
}

func (l *Link) latency() time.Duration {
	f := l.Faults()
	return l.memory.between(f.MinLatency, f.MaxLatency)
}
