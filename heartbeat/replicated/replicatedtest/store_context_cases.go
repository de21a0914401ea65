package replicatedtest

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func storeContextCases() []storeCase {
	return []storeCase{
		{name: "Context/cancelled", run: contextCancelled},
		{name: "Context/expired", run: contextExpired},
	}
}

func contextCancelled(k *storeKit) {
	ctx, cancel := context.WithCancel(k.Context())
	cancel()
	k.callsWith(ctx, context.Canceled)
}

func contextExpired(k *storeKit) {
	ctx, cancel := context.WithDeadline(k.Context(), time.Now().Add(-time.Second))
	defer cancel()
	k.callsWith(ctx, context.DeadlineExceeded)
}

// callsWith makes every call with a context that has ended. Each call must fail at once
// with that error, and write nothing.
func (k *storeKit) callsWith(ctx context.Context, want error) {
	k.Helper()
	check := func(what string, call func() error) {
		k.Helper()
		start := time.Now()
		if err := call(); !errors.Is(err, want) {
			k.Errorf("%s returned %v, want an error that matches %v", what, err, want)
		}
		if took := time.Since(start); took > k.patience/2 {
			k.Errorf("%s took %v to notice that its context has ended", what, took)
		}
	}
	for _, key := range one() {
		at := k.swap(k.store, key, 0, "there")
		check("Get", func() error { _, err := k.store.Get(ctx, key); return err })
		check("Swap", func() error { _, err := k.store.Swap(ctx, key, at, []byte("late")); return err })
		check("Delete", func() error { return k.store.Delete(ctx, key, at) })
		if c, ok := k.store.(replicated.RecordClock); ok {
			check("SwapQuietly", func() error { _, err := c.SwapQuietly(ctx, key, at, []byte("late")); return err })
		}
		k.holds(k.dial(), key, at, "there")
	}
	check("Swap of a new key", func() error { _, err := k.store.Swap(ctx, record("new"), 0, []byte("late")); return err })
	k.empty(k.store, record("new"))
	for _, kind := range []replicated.Kind{replicated.KindDocument, replicated.KindRecord} {
		check("Watch", func() error { return k.store.Watch(ctx, kind, func(replicated.Event) {}) })
	}
	if c, ok := k.store.(replicated.RecordClock); ok {
		check("OlderRecords", func() error { _, _, err := c.OlderRecords(ctx, time.Second); return err })
	}
}
