package batch_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

func handleNothing(context.Context, *batch.Batch[int]) error { return nil }

// TestValidateListsEveryFault names each field that is wrong, at once.
func TestValidateListsEveryFault(t *testing.T) {
	o := batch.Options[int]{
		OnGap:      func(context.Context, shardset.ID, processor.Gap) error { return nil },
		ShardBytes: -1, BatchBytes: -2, BatchItems: -3, MinPause: -4, MaxPause: -5,
		Concurrency: -6, Timeout: -7, Retry: processor.Backoff{Min: -8, Max: -9},
		Attempts: -10, Elapsed: -11, CommitInterval: -12, CommitItems: -13, HandleItems: -14,
	}
	err := o.Validate()
	var faults *shardset.ConfigError
	if !errors.As(err, &faults) {
		t.Fatalf("Validate returned %v, want a *shardset.ConfigError", err)
	}
	for _, field := range []string{
		"OnGap", "ShardBytes", "BatchBytes", "BatchItems", "MinPause", "MaxPause", "Concurrency", "Timeout",
		"Retry.Min", "Retry.Max", "Attempts", "Elapsed", "CommitInterval", "CommitItems", "HandleItems",
	} {
		n := 0
		for _, f := range faults.Faults {
			if f.Field == field {
				n++
			}
		}
		if n == 0 {
			t.Errorf("%v does not say that %s is wrong", err, field)
		}
		if !strings.Contains(err.Error(), field) {
			t.Errorf("the text %q does not name %s", err, field)
		}
	}
}

func TestValidate(t *testing.T) {
	gap := func(context.Context, shardset.ID, processor.Gap) error { return nil }
	tests := []struct {
		name string
		o    batch.Options[int]
		want string // in the error; empty: none
	}{
		{"zero value", batch.Options[int]{}, ""},
		{"no prefetch", batch.Options[int]{Prefetch: -1}, ""},
		{"a gap policy", batch.Options[int]{OnGap: gap, Expired: batch.Latest()}, ""},
		{"a batch larger than the budget", batch.Options[int]{Budget: batch.NewBudget(10, 1), BatchBytes: 100}, ""},
		{"less for the shard than a batch", batch.Options[int]{ShardBytes: 10, BatchBytes: 100}, ""},
		{"a long first pause", batch.Options[int]{MinPause: time.Hour}, ""},
		{"a long first retry", batch.Options[int]{Retry: processor.Backoff{Min: time.Hour}}, ""},
		{"gaps that cannot be", batch.Options[int]{OnGap: gap}, "OnGap"},
		{"pauses the wrong way round", batch.Options[int]{MinPause: time.Hour, MaxPause: time.Minute}, "MaxPause"},
		{"a short longest pause", batch.Options[int]{MaxPause: time.Millisecond}, "MaxPause"},
		{"retries the wrong way round", batch.Options[int]{Retry: processor.Backoff{Min: time.Hour, Max: time.Minute}}, "Retry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.o.Validate()
			if tt.want == "" && err != nil {
				t.Errorf("Validate returned %v, want nil", err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Validate returned %v, want it to name %s", err, tt.want)
			}
		})
	}
}

// TestHandleWithFaultsEndsTheWorker when its first shard is to start; with a source, a
// handler and options that are all wrong, it lists each.
func TestHandleWithFaultsEndsTheWorker(t *testing.T) {
	src := newTape(10)
	tests := []struct {
		name   string
		f      processor.Factory
		faults []string
	}{
		{"options", batch.Handle(src, handleNothing, batch.Options[int]{Attempts: -1, Elapsed: -1}), []string{"Attempts", "Elapsed"}},
		{"source", batch.Handle(nil, handleNothing, batch.Options[int]{}), []string{"Source"}},
		{"handler", batch.Handle[int](src, nil, batch.Options[int]{}), []string{"Handler"}},
		{"everything", batch.Handle[int](nil, nil, batch.Options[int]{Attempts: -1}), []string{"Source", "Handler", "Attempts"}},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			r := newRig(t, newTape(10))
			r.factory = tt.f
			r.start(1)
			if got := r.finish(); got != shardset.OutcomeFailed {
				t.Errorf("the outcome is %v, want failed", got)
			}
			got := r.run.Fatal()
			var faults *shardset.ConfigError
			if !errors.As(got, &faults) || len(faults.Faults) != len(tt.faults) {
				t.Fatalf("fatal is %v, want %d faults", got, len(tt.faults))
			}
			for _, f := range tt.faults {
				if !strings.Contains(got.Error(), f) {
					t.Errorf("%v does not name %s", got, f)
				}
			}
		})
	}
}

// TestHandlesHaveABudgetEach unless they are given one; the shards of one Handle share
// it: see which reads wait.
func TestHandlesHaveABudgetEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10)
		src.each = batch.DefaultBudget / 5 // an item: two batches of half the budget each
		shared := batch.Handle(src, func(ctx context.Context, _ *batch.Batch[int]) error {
			untilOver(ctx)
			return ctx.Err()
		}, batch.Options[int]{BatchBytes: batch.DefaultBudget, Prefetch: -1})
		first, second, alone := newRig(t, src), newRig(t, src), newRig(t, src)
		first.factory, second.factory = shared, shared
		alone.handle(nil, batch.Options[int]{BatchBytes: batch.DefaultBudget, Prefetch: -1})
		reads := func() int { return src.count(func(t *tape) int { return t.reads }) }
		first.start(1)
		second.start(1)
		if got := reads(); got != 1 {
			t.Errorf("%d reads with one budget, want 1", got)
		}
		alone.start(1)
		if got := reads(); got < 2 {
			t.Error("a Handle of its own waits for the budget of another")
		}
		for _, r := range []*rig{first, second, alone} {
			r.run.Cancel(processor.ErrLeaseLost)
		}
		synctest.Wait() // for all of them: finish looks at the tape that they share
		for _, r := range []*rig{first, second, alone} {
			r.finish()
		}
	})
}
