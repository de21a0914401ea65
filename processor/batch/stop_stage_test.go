package batch_test

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// stages are in the order in which a shard goes through them. In those after the first
// batch was handled, its commit is due only when the shard is revoked.
var stages = []stage{
	{name: "opening", setup: func(s *staged) { s.src.onOpen = untilOver }},
	{name: "opening, which fails", setup: func(s *staged) { s.src.openFail = func(batch.Start) error { return errBad } }},
	{name: "telling a gap", resume: "5", before: "5", stored: "5", setup: func(s *staged) {
		s.src.begin, s.options.Expired = 20, batch.Earliest()
		s.options.OnGap = func(ctx context.Context, _ shardset.ID, _ processor.Gap) error { untilOver(ctx); return ctx.Err() }
	}},
	{name: "reading", setup: func(s *staged) { s.src.onRead = untilOver }},
	{name: "reading ahead", stored: "10", setup: func(s *staged) {
		s.src.onRead = func(ctx context.Context) {
			if s.src.count(func(t *tape) int { return t.reads }) > 1 {
				untilOver(ctx)
			}
		}
	}},
	{name: "reading, which fails", stored: "10", setup: func(s *staged) {
		s.src.fail = func(at int) error {
			if at >= 10 {
				return errBad
			}
			return nil
		}
	}},
	{name: "waiting for the budget", setup: func(s *staged) {
		s.options.Budget = batch.NewBudget(1000, 4) // as large as a batch
		other := newTape(10)
		s.other = newRig(s.t, other).handle(func(ctx context.Context, _ *batch.Batch[int]) error {
			untilOver(ctx)
			return ctx.Err()
		}, s.options).start(1)
	}},
	{name: "nothing to read", before: "10", stored: "10", setup: func(s *staged) { s.src.end = 10 }},
	{name: "handling", takes: 5 * time.Second, lost: 5 * time.Second, stored: "20", setup: func(s *staged) {
		s.at(10, func(_ context.Context, b *batch.Batch[int]) error {
			time.Sleep(time.Minute + 5*time.Second)
			s.ledger.ack(b.Items...)
			return nil
		})
	}},
	{name: "handling, which fails", takes: 5 * time.Second, lost: 5 * time.Second, stored: "10", setup: func(s *staged) {
		s.at(10, func(context.Context, *batch.Batch[int]) error { time.Sleep(time.Minute + 5*time.Second); return errBad })
	}},
	{name: "handling, which hangs", takes: drain, stored: "10", setup: func(s *staged) {
		s.at(10, func(ctx context.Context, _ *batch.Batch[int]) error { untilOver(ctx); return ctx.Err() })
	}},
	{name: "handling, which gives up with nil", takes: drain, stored: "10", setup: func(s *staged) {
		s.at(10, func(ctx context.Context, _ *batch.Batch[int]) error { untilOver(ctx); return nil })
	}},
	{name: "between two attempts", stored: "10", setup: func(s *staged) {
		s.at(10, func(context.Context, *batch.Batch[int]) error { return errBad })
		s.options.Retry = processor.Backoff{Min: time.Hour, Max: time.Hour}
	}},
	{name: "deciding about an error", takes: drain, stored: "10", setup: func(s *staged) {
		s.at(10, func(context.Context, *batch.Batch[int]) error { return errBad })
		s.options.OnError = func(ctx context.Context, _ batch.Failure) batch.Action { untilOver(ctx); return batch.ActionSkip }
	}},
	{name: "dead-lettering", takes: drain, stored: "10", setup: func(s *staged) {
		s.at(10, func(context.Context, *batch.Batch[int]) error { return errBad })
		s.options.Attempts = 1
		s.options.DeadLetter = func(ctx context.Context, _ *batch.Batch[int], _ batch.Failure) error { untilOver(ctx); return nil }
	}},
	{name: "dead-lettering, which fails", stored: "10", setup: func(s *staged) {
		s.at(10, func(context.Context, *batch.Batch[int]) error { return errBad })
		s.options.Attempts, s.options.Retry = 1, processor.Backoff{Min: time.Hour, Max: time.Hour}
		s.options.DeadLetter = func(context.Context, *batch.Batch[int], batch.Failure) error { return errBad }
	}},
	{name: "committing, which hangs", takes: drain, setup: func(s *staged) {
		s.options.CommitItems, s.rig.store.hang = 50, make(chan struct{})
	}},
}

// untilOver waits for the end of its context.
func untilOver(ctx context.Context) { <-ctx.Done() }
