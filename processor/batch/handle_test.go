package batch_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

func TestHandlesEverythingInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(1000)
		tape.perRead, tape.closed = 7, true
		budget := batch.NewBudget(1<<20, 4)
		r := newRig(t, tape).handle(nil, batch.Options[int]{Budget: budget}).start(1)
		if o := r.finish(); o != shardset.OutcomeClosed {
			t.Errorf("the outcome is %v, want ended", o)
		}
		if got := r.got(); !slices.Equal(got, upTo(1000)) {
			t.Errorf("handled %v", got)
		}
		if p := r.store.last(); p != "1000" {
			t.Errorf("committed %q, want 1000", p)
		}
		if budget.Free() != budget.Size() || budget.FreeReads() != 4 {
			t.Errorf("the budget has %d bytes and %d reads", budget.Free(), budget.FreeReads())
		}
	})
}

func TestRevokedWhileIdleCommitsWhatWasHandled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tape := newTape(10)
		r := newRig(t, tape).handle(func(context.Context, *batch.Batch[int]) error { return nil }, batch.Options[int]{}).start(1)
		time.Sleep(time.Minute)
		r.run.Revoke(processor.ErrRevoked)
		if o := r.finish(); o != shardset.OutcomeReleased {
			t.Errorf("the outcome is %v, want released", o)
		}
		if p := r.store.last(); p != "10" {
			t.Errorf("committed %q, want 10", p)
		}
	})
}
