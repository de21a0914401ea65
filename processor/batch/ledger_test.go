package batch_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// ledger is what handlers say that they acknowledge, before they do. It watches a
// store for a commit of anything else.
type ledger struct {
	t    *testing.T
	tape *tape

	mu    sync.Mutex // guards the fields below
	acked map[int]bool
	seen  []int // items that a handler was given, in order
}

// watch has every save looked at, also those that the store refuses.
func (r *rig) watch() *ledger {
	l := &ledger{t: r.t, tape: r.tape, acked: map[int]bool{}}
	r.store.set(func(s *store) { s.watch = l.look })
	return l
}

func (l *ledger) look(p processor.Position) {
	drop := l.tape.drop
	l.mu.Lock()
	defer l.mu.Unlock()
	for n := range number(p) {
		if !l.acked[n] && (drop == nil || !drop(n)) {
			l.t.Errorf("%q is committed, but %d is not acknowledged", p, n)
			return
		}
	}
}

// saw notes what a handler was given.
func (l *ledger) saw(items ...int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen = append(l.seen, items...)
}

// ack notes what a handler is about to acknowledge.
func (l *ledger) ack(items ...int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range items {
		l.acked[n] = true
	}
}

// given returns what the handlers were given, in order.
func (l *ledger) given() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.seen)
}

// handler acknowledges what it is given by returning nil, except for the batch that
// begins at bad: that ends as the ending says, each time.
func (l *ledger) handler(bad int, e ending) func(context.Context, *batch.Batch[int]) error {
	return func(ctx context.Context, b *batch.Batch[int]) error {
		l.saw(b.Items...)
		if b.Items[0] == bad {
			return e.end(ctx, b)
		}
		l.ack(b.Items...)
		return nil
	}
}

// ending is a way in which a handler ends without acknowledging its batch.
type ending struct {
	name    string
	timeout time.Duration
	end     func(ctx context.Context, b *batch.Batch[int]) error
}

var errBad = errors.New("bad batch")

// endings are all of them.
var endings = []ending{
	{"fails", 0, func(context.Context, *batch.Batch[int]) error { return errBad }},
	{"panics", 0, func(context.Context, *batch.Batch[int]) error { panic(errBad) }},
	{"ends its goroutine", 0, func(context.Context, *batch.Batch[int]) error { runtime.Goexit(); return nil }},
	{"hangs", 0, func(ctx context.Context, _ *batch.Batch[int]) error { <-ctx.Done(); return ctx.Err() }},
	{"gives up with nil", 0, func(ctx context.Context, _ *batch.Batch[int]) error { <-ctx.Done(); return nil }},
	{"hangs into its timeout", time.Second, func(ctx context.Context, _ *batch.Batch[int]) error { <-ctx.Done(); return ctx.Err() }},
	{"is past its timeout", time.Second, func(context.Context, *batch.Batch[int]) error { time.Sleep(3 * time.Second); return nil }},
}

// checkItems compares what was handled.
func checkItems(t *testing.T, what string, got, want []int) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s %v, want %v", what, got, want)
	}
}

// fromTo is the numbers from a to b-1.
func fromTo(a, b int) []int { return upTo(b)[a:] }
