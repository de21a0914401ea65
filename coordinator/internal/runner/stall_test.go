package runner_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// TestStallOfARun watches a Process through its ways to wait, five minutes after the last
// sign of each.
func TestStallOfARun(t *testing.T) {
	const bound = 5 * time.Minute
	for name, c := range map[string]struct {
		work func(context.Context, *processor.Shard) error
		want string // in the error; empty: it does not stall
	}{
		"it does nothing": {func(context.Context, *processor.Shard) error { return nil }, "Process called none of"},
		"it has reported that it is idle": {func(_ context.Context, s *processor.Shard) error {
			s.ReportProgress(processor.Progress{CaughtUp: true})
			return nil
		}, ""},
		"a call is under way": {func(ctx context.Context, s *processor.Shard) error {
			s.Begin(ctx, "the sink")
			return nil
		}, "the sink does not return"},
		"the context of the call has ended": {func(ctx context.Context, s *processor.Shard) error {
			ctx, cancel := context.WithCancel(ctx)
			s.Begin(ctx, "the sink")
			cancel()
			return nil
		}, "although its context has ended"},
		"its calls have returned": {func(ctx context.Context, s *processor.Shard) error {
			s.Begin(ctx, "the sink").End()
			return nil
		}, ""},
		"it failed with a call under way": {func(ctx context.Context, s *processor.Shard) error {
			s.Begin(ctx, "the sink")
			return processor.Halt(errBad)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
					if err := c.work(ctx, s); err != nil {
						return err
					}
					return untilRevoked(ctx, s)
				}).start()
				begin := time.Now()
				time.Sleep(bound - 1)
				if _, err := r.run.Stall(time.Now(), bound); err != nil {
					t.Errorf("it stalls before the bound: %v", err)
				}
				time.Sleep(time.Nanosecond)
				since, err := r.run.Stall(time.Now(), bound)
				if (err != nil) != (c.want != "") || err != nil && (!errors.Is(err, processor.ErrNoProgress) || !strings.Contains(err.Error(), c.want) || !since.Equal(begin)) {
					t.Errorf("it stalls since %v with %v, want %q", since.Sub(begin), err, c.want)
				}
				r.run.Revoke(processor.ErrRevoked)
				r.finish()
			})
		})
	}
}
