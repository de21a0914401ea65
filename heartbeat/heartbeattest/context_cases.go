package heartbeattest

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func contextCases() []testCase {
	return []testCase{
		{name: "Context/cancelled", run: contextCancelled},
		{name: "Context/expired", run: contextExpired},
	}
}

// If its context has ended, every call returns at once with the context's error.
func contextCancelled(k *kit) {
	a, b := k.joinPair()
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	k.calls(ctx, a, context.Canceled)
	k.during(k.patience, "nothing has changed", k.settled(a, b), a, b)
}

func contextExpired(k *kit) {
	a, b := k.joinPair()
	ctx, cancel := context.WithDeadline(k.Context(), time.Now().Add(-time.Second))
	defer cancel()
	k.calls(ctx, a, context.DeadlineExceeded)
	k.during(k.patience, "nothing has changed", k.settled(a, b), a, b)
}

// calls makes every call of the service with a context that has ended.
func (k *kit) calls(ctx context.Context, a *member, want error) {
	k.Helper()
	request := shardset.Heartbeat{Member: a.name, Seq: a.request.Seq, Instance: a.request.Instance, Generation: a.answer.Generation}
	check := func(what string, call func() error) {
		k.Helper()
		start := time.Now()
		if err := call(); !errors.Is(err, want) {
			k.Errorf("%s returned %v, want an error that matches %v", what, err, want)
		}
		if took := time.Since(start); took > k.try {
			k.Errorf("%s took %v to notice that its context has ended", what, took)
		}
	}
	check("Beat", func() error { _, err := a.client.Beat(ctx, request); return err })
	if l, ok := a.client.(heartbeat.Leaver); ok {
		check("Leave", func() error { return l.Leave(ctx, request) })
	}
	if c, ok := a.client.(heartbeat.Creator); ok {
		check("Create", func() error { return c.Create(ctx) })
	}
	if a.store == nil {
		return
	}
	id := a.oneShard()
	check("Load", func() error { _, _, err := a.store.Load(ctx, a.owner(id)); return err })
	check("Save", func() error { return a.store.Save(ctx, a.owner(id), "too late") })
	a.stored(id, "")
}
