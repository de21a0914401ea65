package batch_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
	"github.com/rollcall-go/rollcall/shardset"
)

// An action is tried on a closed shard of five batches of ten items. The third batch fails whenever
// its first item is handled.
type actionTest struct {
	name     string
	options  batch.Options[int]
	end      func() error // of the handler; nil: an error
	outcome  shardset.Outcome
	halted   bool               // until it is revoked
	attempts int                // with its first item
	handled  []int              // with a nil result
	stored   processor.Position // in the end
	letters  []int              // items that went to the dead letters
	poison   int
}

func always(v batch.Action) func(context.Context, batch.Failure) batch.Action {
	return func(context.Context, batch.Failure) batch.Action { return v }
}

func taken(context.Context, *batch.Batch[int], batch.Failure) error { return nil }

var (
	without = append(upTo(20), fromTo(30, 50)...) // the third batch
	but20   = append(upTo(20), fromTo(21, 50)...)
	fatal   = func() error { return fmt.Errorf("no table: %w", processor.Fatal(errBad)) }
	halt    = func() error { return fmt.Errorf("no sense: %w", processor.Halt(errBad)) }
)

const (
	ended    = shardset.OutcomeClosed
	released = shardset.OutcomeReleased
	gaveUp   = shardset.OutcomeFailed
)

var actionTests = []actionTest{
	{name: "default", options: batch.Options[int]{Attempts: 3},
		outcome: released, halted: true, attempts: 3, handled: upTo(20), stored: "20"},
	{name: "default, dead letter", options: batch.Options[int]{Attempts: 3, DeadLetter: taken},
		outcome: ended, attempts: 3 + 1 + 3, handled: but20, stored: "50", letters: fromTo(20, 21), poison: 1},
	{name: "one attempt", options: batch.Options[int]{Attempts: 1},
		outcome: released, halted: true, attempts: 1, handled: upTo(20), stored: "20"},
	{name: "OnError: retry", options: batch.Options[int]{Attempts: 2, OnError: always(batch.ActionRetry)},
		outcome: released, halted: true, attempts: 2, handled: upTo(20), stored: "20"},
	{name: "OnError: retry, used up", options: batch.Options[int]{Attempts: 2, OnError: always(batch.ActionRetry), DeadLetter: taken},
		outcome: ended, attempts: 2 + 1 + 2, handled: but20, stored: "50", letters: fromTo(20, 21), poison: 1},
	{name: "OnError: unknown action", options: batch.Options[int]{Attempts: 2, OnError: always(99)},
		outcome: released, halted: true, attempts: 2, handled: upTo(20), stored: "20"},
	{name: "skip", options: batch.Options[int]{OnError: always(batch.ActionSkip), DeadLetter: taken},
		outcome: ended, attempts: 1, handled: without, stored: "50", poison: 1},
	{name: "dead letter", options: batch.Options[int]{OnError: always(batch.ActionDeadLetter), DeadLetter: taken},
		outcome: ended, attempts: 1, handled: without, stored: "50", letters: fromTo(20, 30), poison: 1},
	{name: "dead letter without one", options: batch.Options[int]{OnError: always(batch.ActionDeadLetter)},
		outcome: released, halted: true, attempts: 1, handled: upTo(20), stored: "20"},
	{name: "halt", options: batch.Options[int]{OnError: always(batch.ActionHalt), DeadLetter: taken},
		outcome: released, halted: true, attempts: 1, handled: upTo(20), stored: "20"},
	{name: "fatal", options: batch.Options[int]{OnError: always(batch.ActionFatal), DeadLetter: taken},
		outcome: gaveUp, attempts: 1, handled: upTo(20), stored: "20"},
	{name: "OnError panics", options: batch.Options[int]{Attempts: 2, DeadLetter: taken,
		OnError: func(context.Context, batch.Failure) batch.Action { panic("action") }},
		outcome: ended, attempts: 2 + 1 + 2, handled: but20, stored: "50", letters: fromTo(20, 21), poison: 1},
	{name: "handler: fatal", options: batch.Options[int]{OnError: always(batch.ActionSkip), DeadLetter: taken}, end: fatal,
		outcome: gaveUp, attempts: 1, handled: upTo(20), stored: "20"},
	{name: "handler: halt", options: batch.Options[int]{OnError: always(batch.ActionSkip), DeadLetter: taken}, end: halt,
		outcome: released, halted: true, attempts: 1, handled: upTo(20), stored: "20"},
	{name: "handler panicked with fatal", options: batch.Options[int]{Attempts: 2, DeadLetter: taken},
		end: func() error { panic(processor.Fatal(errBad)) }, outcome: ended, attempts: 2 + 1 + 2,
		handled: but20, stored: "50", letters: fromTo(20, 21), poison: 1},
	{name: "handler panicked with halt", options: batch.Options[int]{Attempts: 2, DeadLetter: taken},
		end: func() error { panic(processor.Halt(errBad)) }, outcome: ended, attempts: 2 + 1 + 2,
		handled: but20, stored: "50", letters: fromTo(20, 21), poison: 1},
	{name: "handler says that a panic is fatal", options: batch.Options[int]{Attempts: 2, DeadLetter: taken},
		end: func() error {
			return processor.Fatal(contain.Call("parse", func() error { panic(errBad) }))
		}, outcome: gaveUp, attempts: 1, handled: upTo(20), stored: "20"},
	{name: "handler says that the shard ended", options: batch.Options[int]{Attempts: 2},
		end: func() error { return processor.ErrShardClosed }, outcome: released, halted: true,
		attempts: 2, handled: upTo(20), stored: "20"},
}

// TestActions also looks at the batches beside the one that fails: what was handled is
// committed, whatever the action is.
func TestActions(t *testing.T) {
	for _, tt := range actionTests {
		bubble(t, tt.name, func(t *testing.T) { tryAction(t, tt) })
	}
}

func tryAction(t *testing.T, tt actionTest) {
	src := newTape(50)
	src.perRead, src.closed = 10, true
	r := newRig(t, src)
	attempts, letters := 0, []int(nil)
	if taken := tt.options.DeadLetter; taken != nil {
		tt.options.DeadLetter = func(ctx context.Context, b *batch.Batch[int], f batch.Failure) error {
			letters = append(letters, b.Items...)
			return taken(ctx, b, f)
		}
	}
	r.handle(func(_ context.Context, b *batch.Batch[int]) error {
		if b.Items[0] != 20 {
			return nil
		}
		attempts++
		if tt.end != nil {
			return tt.end()
		}
		return errBad
	}, tt.options).start(1)
	time.Sleep(time.Hour)
	checkHalted(t, r, tt.halted)
	r.run.Revoke(processor.ErrRevoked)
	if got := r.finish(); got != tt.outcome {
		t.Errorf("the outcome is %v, want %v", got, tt.outcome)
	}
	if got := r.run.Fatal(); (got != nil) != (tt.outcome == gaveUp) || got != nil && !errors.Is(got, errBad) {
		t.Errorf("fatal is %v", got)
	}
	if attempts != tt.attempts {
		t.Errorf("%d attempts, want %d", attempts, tt.attempts)
	}
	checkItems(t, "handled", r.got(), tt.handled)
	if got := r.store.last(); got != tt.stored {
		t.Errorf("stored %q, want %q", got, tt.stored)
	}
	checkItems(t, "the dead letters are", letters, tt.letters)
	if got := len(r.poison()); got != tt.poison {
		t.Errorf("%d were reported as poison, want %d", got, tt.poison)
	}
}

// checkHalted checks that a run stopped, and stays, with what it shows then.
func checkHalted(t *testing.T, r *rig, want bool) {
	t.Helper()
	synctest.Wait()
	st := r.run.Status()
	if st.Halted != want {
		t.Errorf("halted is %v, want %v", st.Halted, want)
	}
	if !want {
		return
	}
	select {
	case o := <-r.out:
		t.Fatalf("the run has ended with %v before it was revoked", o)
	default:
	}
	if r.halted == nil || st.LastError == nil {
		t.Errorf("halted is %v, the last error %v", r.halted, st.LastError)
	}
}
