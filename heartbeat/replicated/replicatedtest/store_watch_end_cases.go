package replicatedtest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func watchLifeCases() []storeCase {
	return []storeCase{
		{name: "Watch/ends", run: watchEnds},
		{name: "Watch/reports nothing after its end", run: watchAfterEnd},
		{name: "Watch/again and again", run: watchAgain},
	}
}

// A watch, idle or busy, returns soon after the end of its context, with that error.
func watchEnds(k *storeKit) {
	for _, kind := range []replicated.Kind{replicated.KindDocument, replicated.KindRecord} {
		w := k.watch(k.store, kind)
		w.until("it has caught up", caughtUp)
		w.stop()
		w = k.watch(k.store, kind)
		w.stop() // perhaps before it has begun
	}
	ctx, cancel := context.WithTimeout(k.Context(), k.patience/20)
	defer cancel()
	start := time.Now()
	err := k.store.Watch(ctx, replicated.KindRecord, func(replicated.Event) {})
	if took := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || took > k.patience {
		k.Errorf("a watch whose context ends after %v returned %v after %v", k.patience/20, err, took)
	}
}

// After Watch has returned, its sink is not called.
func watchAfterEnd(k *storeKit) {
	var ended atomic.Bool
	var late atomic.Int64
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	begun, done := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(done)
		_ = k.store.Watch(ctx, replicated.KindRecord, func(replicated.Event) {
			if ended.Load() {
				late.Add(1)
			}
			select {
			case begun <- struct{}{}:
			default:
			}
		})
		ended.Store(true)
	}()
	select {
	case <-begun:
	case <-done:
		k.Fatalf("the watch ended before it reported anything")
	}
	other := k.dial()
	witness := k.watch(other, replicated.KindRecord)
	defer witness.stop()
	var at uint64
	for i := range 30 {
		if i == 10 {
			cancel()
		}
		at = k.swap(other, record("a"), at, fmt.Sprint(i))
	}
	<-done
	at = k.swap(other, record("a"), at, "after the end")
	witness.shows(record("a"), at, "after the end")
	if n := late.Load(); n > 0 {
		k.Errorf("a sink was called %d times after its watch had returned", n)
	}
}

// Watches can be started and stopped many times, and each begins with the existing keys.
func watchAgain(k *storeKit) {
	var at uint64
	for i := range 30 {
		at = k.swap(k.store, record("a"), at, fmt.Sprint(i))
		w := k.watch(k.store, replicated.KindRecord)
		w.until("it has caught up", caughtUp)
		w.shows(record("a"), at, fmt.Sprint(i))
		w.stop()
	}
}
