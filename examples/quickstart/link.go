package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// link connects one worker with the group service. Once it is cut, calls block, as over a
// network to a machine without power. The program needs it only to kill a worker. A real
// program passes the service itself to coordinator.Config.
type link struct {
	*memory.Service
	over chan struct{} // closed at the end of the program: waiting calls fail

	mu  sync.RWMutex // guards cut; held for reading while a call is under way
	cut bool
}

var (
	_ heartbeat.Client      = (*link)(nil)
	_ heartbeat.Leaver      = (*link)(nil)
	_ processor.Checkpoints = (*link)(nil)
)

// Beat implements heartbeat.Client.
func (l *link) Beat(ctx context.Context, r shardset.Heartbeat) (a shardset.Answer, err error) {
	err = l.pass(ctx, func() error {
		a, err = l.Service.Beat(ctx, r)
		return err
	})
	return a, err
}

// Leave implements heartbeat.Leaver.
func (l *link) Leave(ctx context.Context, r shardset.Heartbeat) error {
	return l.pass(ctx, func() error { return l.Service.Leave(ctx, r) })
}

// Save implements processor.Checkpoints.
func (l *link) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	return l.pass(ctx, func() error { return l.Service.Save(ctx, o, p) })
}

// pass makes a call. If the link is cut, it blocks until ctx ends or the program does.
func (l *link) pass(ctx context.Context, call func() error) error {
	if done, err := l.try(call); done {
		return err
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.over:
		return errCut
	}
}

// errCut says that the worker has lost its shards, so that it does not try again.
var errCut = fmt.Errorf("the link is cut: %w", processor.ErrNotOwner)

func (l *link) try(call func() error) (done bool, err error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.cut {
		return false, nil
	}
	return true, call()
}

// sever cuts the link. Calls under way have ended when it returns.
func (l *link) sever() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
}

func (l *link) severed() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.cut
}
