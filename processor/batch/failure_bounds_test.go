package batch_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// tries handles a shard of one batch that always fails until it is halted or an hour is
// over, and returns the failures that OnError got.
func tries(t *testing.T, o batch.Options[int], end func() error) (*rig, []batch.Failure) {
	src := newTape(10)
	r := newRig(t, src)
	r.watch()
	var told []batch.Failure
	o.OnError = func(_ context.Context, f batch.Failure) batch.Action {
		told = append(told, f)
		return batch.ActionRetry
	}
	r.handle(func(context.Context, *batch.Batch[int]) error { return end() }, o).start(3)
	time.Sleep(time.Hour)
	st := r.run.Status()
	r.run.Revoke(processor.ErrRevoked)
	r.finish()
	if bounded := o.Attempts > 0 || o.Elapsed > 0; bounded != st.Halted {
		t.Errorf("after an hour halted is %v", st.Halted)
	}
	return r, told
}

func TestAttemptsAreBounded(t *testing.T) {
	bubble(t, "by number", func(t *testing.T) {
		_, told := tries(t, batch.Options[int]{Attempts: 4}, func() error { return errBad })
		if len(told) != 4 {
			t.Fatalf("%d failures, want 4", len(told))
		}
		for i, f := range told {
			if f.Attempt != i+1 || f.Exhausted != (i == 3) {
				t.Errorf("failure %d is %+v", i+1, f)
			}
		}
	})
	bubble(t, "by time", func(t *testing.T) {
		const bound = 10 * time.Second
		_, told := tries(t, batch.Options[int]{Elapsed: bound}, func() error { return errBad })
		if len(told) < 4 || len(told) > 12 {
			t.Errorf("%d failures", len(told))
		}
		for i, f := range told {
			if last := i == len(told)-1; f.Exhausted != last || f.Elapsed > bound {
				t.Errorf("failure %d is %+v", i+1, f)
			}
		}
	})
	bubble(t, "by time, in one long attempt", func(t *testing.T) {
		_, told := tries(t, batch.Options[int]{Elapsed: time.Second}, func() error { time.Sleep(time.Minute); return errBad })
		if len(told) != 1 || !told[0].Exhausted || told[0].Elapsed != time.Minute {
			t.Errorf("the failures are %+v, want one", told)
		}
	})
	bubble(t, "not at all", func(t *testing.T) {
		_, told := tries(t, batch.Options[int]{}, func() error { return errBad })
		if len(told) < 3600/30 || len(told) > 500 {
			t.Errorf("%d failures in an hour, with pauses up to 30 s", len(told))
		}
		for _, f := range told {
			if f.Exhausted {
				t.Errorf("%+v is exhausted without a bound", f)
			}
		}
	})
}

// TestPausesGrow spaces the attempts: from Retry.Min to Retry.Max, with jitter.
func TestPausesGrow(t *testing.T) {
	bubble(t, "of errors", func(t *testing.T) {
		retry := processor.Backoff{Min: time.Second, Max: 16 * time.Second}
		_, told := tries(t, batch.Options[int]{Attempts: 10, Retry: retry}, func() error { return errBad })
		for i := 1; i < len(told); i++ {
			pause, about := told[i].Elapsed-told[i-1].Elapsed, min(retry.Min<<(i-1), retry.Max)
			if pause < about/2 || pause > min(about*3/2, retry.Max) {
				t.Errorf("pause %d is %v, want about %v", i, pause, about)
			}
		}
	})
}

// TestFailureSaysWhatHappened checks the argument of OnError.
func TestFailureSaysWhatHappened(t *testing.T) {
	var panicked *processor.PanicError
	tests := []struct {
		name    string
		timeout time.Duration
		end     func() error
		is      func(err error) bool
	}{
		{"an error", 0, func() error { return errBad }, func(err error) bool { return errors.Is(err, errBad) }},
		{"a panic", 0, func() error { panic(errBad) }, func(err error) bool {
			return errors.As(err, &panicked) && errors.Is(err, errBad) && len(panicked.Stack) > 0
		}},
		{"a timeout", time.Second, func() error { time.Sleep(time.Minute); return nil },
			func(err error) bool { return errors.Is(err, context.DeadlineExceeded) }},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			r, told := tries(t, batch.Options[int]{Attempts: 1, Timeout: tt.timeout}, tt.end)
			if len(told) != 1 {
				t.Fatalf("got %d failures, want 1", len(told))
			}
			f := told[0]
			if !tt.is(f.Err) {
				t.Errorf("the error is %v", f.Err)
			}
			if f.Lease.ID != testShard || f.Lease.Epoch != 3 || f.From != "0" || f.Next != "10" || f.Items != 10 {
				t.Errorf("the failure is %+v", f)
			}
			if !tt.is(r.halted) {
				t.Errorf("the shard was halted with %v", r.halted)
			}
		})
	}
}

// TestGoexitHasTheDefaultAction: OnError runs on the handler's goroutine, which Goexit has ended. So it is
// not called, and the bounds decide.
func TestGoexitHasTheDefaultAction(t *testing.T) {
	bubble(t, "of the handler", func(t *testing.T) {
		count := 0
		r, told := tries(t, batch.Options[int]{Attempts: 3}, func() error { count++; runtime.Goexit(); return nil })
		if count != 3 || told != nil {
			t.Errorf("%d attempts, want 3; OnError got %v", count, told)
		}
		if !errors.Is(r.halted, processor.ErrGoexit) {
			t.Errorf("the shard was halted with %v", r.halted)
		}
	})
	bubble(t, "of OnError", func(t *testing.T) {
		count := 0
		src := newTape(10)
		r := newRig(t, src).handle(func(context.Context, *batch.Batch[int]) error { count++; return errBad },
			batch.Options[int]{Attempts: 3, OnError: func(context.Context, batch.Failure) batch.Action {
				runtime.Goexit()
				return batch.ActionSkip
			}}).start(1)
		time.Sleep(time.Hour)
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
		if count != 3 || !errors.Is(r.halted, errBad) {
			t.Errorf("%d attempts, want 3; halted with %v", count, r.halted)
		}
	})
}
