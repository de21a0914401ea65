package batch_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// TestRangeStops ends the shard while the body has a batch for ten seconds, or waits for
// one. The body ignores its contexts.
func TestRangeStops(t *testing.T) {
	tests := []struct {
		name    string
		items   int
		cause   error
		lost    bool
		takes   time.Duration
		stored  processor.Position
		yielded error // to the loop, in the end; it may see a loss as a revocation if it has nothing in hand
	}{
		{"revoked with a batch", 50, processor.ErrRevoked, false, 5 * time.Second, "20", nil},
		{"shut down with a batch", 50, processor.ErrShutdown, false, 5 * time.Second, "20", nil},
		{"lost with a batch", 50, processor.ErrLeaseLost, true, 5 * time.Second, "", processor.ErrLeaseLost},
		{"revoked without one", 10, processor.ErrRevoked, false, 0, "10", nil},
		{"lost without one", 10, processor.ErrLeaseLost, true, 0, "10", processor.ErrLeaseLost},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(tt.items)
			src.perRead = 10
			r := newRig(t, src)
			var yielded []error
			o := r.ownBudget(batch.Options[int]{CommitInterval: never})
			r.factory = processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
				for b, err := range batch.Range(ctx, s, src, o) {
					if err != nil {
						yielded = append(yielded, err)
						if b != nil {
							t.Error("the error came with a batch")
						}
						continue // the loop has to end by itself
					}
					time.Sleep(10 * time.Second)
					b.Ack()
				}
				return errors.Join(yielded...)
			})
			r.start(1)
			time.Sleep(15 * time.Second)
			begin := time.Now()
			if tt.lost {
				r.run.Cancel(tt.cause)
			} else {
				r.run.Revoke(tt.cause)
			}
			if got, want := r.finish(), outcomeOf(tt.cause); got != want {
				t.Errorf("the outcome is %v, want %v", got, want)
			}
			if took := time.Since(begin); took != tt.takes {
				t.Errorf("it took %v, want %v", took, tt.takes)
			}
			if got := r.store.last(); got != tt.stored {
				t.Errorf("stored %q, want %q", got, tt.stored)
			}
			want := 0
			if tt.yielded != nil && (tt.takes > 0 || len(yielded) > 0) {
				want = 1
			}
			if len(yielded) != want || want > 0 && !errors.Is(yielded[0], tt.yielded) {
				t.Errorf("the loop got %v, want %v", yielded, tt.yielded)
			}
		})
	}
}

// TestRangeYieldsWhyItStops: the last round of the loop has the error that Process should return.
func TestRangeYieldsWhyItStops(t *testing.T) {
	tests := []struct {
		name    string
		o       batch.Options[int]
		fault   func(src *tape)
		outcome shardset.Outcome
	}{
		{"closed shard", batch.Options[int]{}, func(src *tape) { src.closed = true }, shardset.OutcomeClosed},
		{"bound", batch.Options[int]{UntilPosition: func(shardset.ID) processor.Position { return "20" }}, nil, shardset.OutcomeComplete},
		{"stop shard", batch.Options[int]{Attempts: 1}, nil, shardset.OutcomeReleased},
		{"fatal", batch.Options[int]{OnError: always(batch.ActionFatal)}, nil, shardset.OutcomeFailed},
		{"source", batch.Options[int]{}, func(src *tape) {
			src.fail = func(at int) error {
				if at < 20 {
					return nil
				}
				return processor.Fatal(errBad)
			}
		}, shardset.OutcomeFailed},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(30)
			src.perRead = 10
			if tt.fault != nil {
				tt.fault(src)
			}
			r := newRig(t, src)
			r.ranges(tt.o, func(b *batch.Batch[int]) step {
				if b.Items[0] == 20 && !src.closed {
					b.Fail(errBad)
				} else {
					b.Ack()
				}
				return step{}
			}).start(1)
			time.Sleep(time.Minute)
			checkHalted(t, r, tt.outcome == shardset.OutcomeReleased)
			r.run.Revoke(processor.ErrRevoked)
			if got := r.finish(); got != tt.outcome {
				t.Errorf("the outcome is %v, want %v", got, tt.outcome)
			}
			if got := r.store.committed(); !slices.Contains(got, "20") && !slices.Contains(got, "30") {
				t.Errorf("stored %q, want 20 at least", got)
			}
		})
	}
}

// TestRangeRefusesBadOptions: the source is not opened.
func TestRangeRefusesBadOptions(t *testing.T) {
	key := func(int) string { return "" }
	for name, c := range map[string]struct {
		o      batch.Options[int]
		faults int
	}{
		"negative":    {batch.Options[int]{Attempts: -1}, 1},
		"concurrency": {batch.Options[int]{Concurrency: 2}, 1},
		"key":         {batch.Options[int]{Key: key}, 1},
		"timeout":     {batch.Options[int]{Timeout: time.Second}, 1},
		"everything":  {batch.Options[int]{Attempts: -1, Concurrency: 2, Key: key, Timeout: time.Second}, 4},
	} {
		bubble(t, name, func(t *testing.T) {
			src := newTape(10)
			r := newRig(t, src)
			r.ranges(c.o, func(*batch.Batch[int]) step { t.Error("a batch"); return step{} }).start(1)
			if got := r.finish(); got != shardset.OutcomeFailed {
				t.Errorf("the outcome is %v, want failed", got)
			}
			var faults *shardset.ConfigError
			if got := r.run.Fatal(); !errors.As(got, &faults) || len(faults.Faults) != c.faults {
				t.Errorf("fatal is %v, want a *shardset.ConfigError with %d faults", got, c.faults)
			}
			if len(src.opens) != 0 {
				t.Errorf("the source was opened %d times", len(src.opens))
			}
		})
	}
}

// TestRangeSurvivesItsSource: the source calls runtime.Goexit. The loop ends with an error and does not
// hang.
func TestRangeSurvivesItsSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(30)
		src.perRead, src.items = 10, true
		r := newRig(t, src)
		wild := wildAfter{src}
		o := r.ownBudget(batch.Options[int]{})
		r.factory = processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			for b, err := range batch.Range(ctx, s, wild, o) {
				if err != nil {
					return err
				}
				b.AckItem(0)
			}
			return nil
		})
		r.start(1)
		time.Sleep(time.Minute)
		r.run.Revoke(processor.ErrRevoked)
		if got := r.finish(); got != shardset.OutcomeReleased {
			t.Errorf("the outcome is %v, want released", got)
		}
		if len(r.failed) == 0 || !errors.Is(r.failed[0], processor.ErrGoexit) {
			t.Errorf("the run failed with %v", r.failed)
		}
	})
}

// wildAfter is a Source whose positions of items cannot be asked for.
type wildAfter struct{ *tape }

type wildReader struct{ batch.Reader[int] }

func (w wildAfter) Open(ctx context.Context, id shardset.ID, s batch.Start) (batch.Reader[int], error) {
	r, err := w.tape.Open(ctx, id, s)
	return wildReader{r}, err
}

func (w wildReader) Read(ctx context.Context, l batch.Limit) (batch.Chunk[int], error) {
	c, err := w.Reader.Read(ctx, l)
	c.After = func(int) processor.Position { runtime.Goexit(); return "" }
	return c, err
}
