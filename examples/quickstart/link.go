package main

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// link is one worker's way to the group service. Cut, it is silent like a network to
// a dead machine: nothing arrives, and nothing says so. The program needs it only to
// kill a worker; any other hands the service itself to coordinator.Config.
type link struct {
	*memory.Service
	cut  atomic.Bool
	over chan struct{} // closed at the end of the program: waiting calls fail
}

var (
	_ heartbeat.Client      = (*link)(nil)
	_ heartbeat.Leaver      = (*link)(nil)
	_ processor.Checkpoints = (*link)(nil)
)

// Beat implements heartbeat.Client.
func (l *link) Beat(ctx context.Context, r heartbeat.Request) (shardset.Answer, error) {
	if l.cut.Load() {
		return shardset.Answer{}, l.silence(ctx)
	}
	return l.Service.Beat(ctx, r)
}

// Leave implements heartbeat.Leaver.
func (l *link) Leave(ctx context.Context, r heartbeat.Request) error {
	if l.cut.Load() {
		return l.silence(ctx)
	}
	return l.Service.Leave(ctx, r)
}

// Save implements processor.Checkpoints.
func (l *link) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	if l.cut.Load() {
		return l.silence(ctx)
	}
	return l.Service.Save(ctx, o, p)
}

// silence lasts until the caller gives up.
func (l *link) silence(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-l.over:
		return errors.New("the link is cut")
	}
}
