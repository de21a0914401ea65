package replicatedtest

import (
	"context"
	"sync"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// gate is a Group that can be shut. A call that begins or ends while it is shut fails when
// its context ends. Watches report nothing meanwhile.
type gate struct {
	group Group

	mu      sync.Mutex // guards the fields below
	shut    bool
	changed chan struct{} // closed and replaced when shut changes
}

var _ Group = (*gate)(nil)

func newGate(g Group) *gate { return &gate{group: g, changed: make(chan struct{})} }

func (g *gate) set(shut bool) {
	g.mu.Lock()
	g.shut = shut
	changed := g.changed
	g.changed = make(chan struct{})
	g.mu.Unlock()
	close(changed)
}

func (g *gate) state() (bool, <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut, g.changed
}

// through makes a call. If the gate is shut before or after the call, through waits for the
// end of ctx and returns its error.
func (g *gate) through(ctx context.Context, call func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if shut, _ := g.state(); shut {
		<-ctx.Done()
		return ctx.Err()
	}
	err := call()
	if shut, _ := g.state(); shut {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (g *gate) Info() heartbeat.Info { return g.group.Info() }

func (g *gate) Beat(ctx context.Context, r shardset.Heartbeat) (a shardset.Answer, err error) {
	err = g.through(ctx, func() (err error) { a, err = g.group.Beat(ctx, r); return err })
	return a, err
}

func (g *gate) Leave(ctx context.Context, r shardset.Heartbeat) error {
	return g.through(ctx, func() error { return g.group.Leave(ctx, r) })
}

func (g *gate) Create(ctx context.Context) error {
	return g.through(ctx, func() error { return g.group.Create(ctx) })
}

func (g *gate) Load(ctx context.Context, o processor.Owner) (p processor.Position, ok bool, err error) {
	err = g.through(ctx, func() (err error) { p, ok, err = g.group.Load(ctx, o); return err })
	return p, ok, err
}

func (g *gate) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	return g.through(ctx, func() error { return g.group.Save(ctx, o, p) })
}

// Watch forwards the signals of the group's watch while the gate is open. Its goroutine ends
// with that watch, which ends with ctx at the latest.
func (g *gate) Watch(ctx context.Context, member string) (<-chan struct{}, error) {
	var from <-chan struct{}
	err := g.through(ctx, func() (err error) { from, err = g.group.Watch(ctx, member); return err })
	if err != nil {
		return nil, err
	}
	to := make(chan struct{}, 1)
	go func() {
		defer close(to)
		for range from {
			if shut, _ := g.state(); shut {
				continue
			}
			select {
			case to <- struct{}{}:
			default:
			}
		}
	}()
	return to, nil
}
