package batch_test

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// In these tests the lease expires while no context is cancelled, as in a process that was frozen: the
// loop has to check it.

const lease = 15 * time.Second

// leased is a rig whose lease ends, over fifty items in batches of ten.
func leased(t *testing.T) (*rig, *ledger) {
	src := newTape(50)
	src.perRead = 10
	r := newRig(t, src)
	r.until = time.Now().Add(lease)
	return r, r.watch()
}

func TestNothingIsBegunAfterTheLease(t *testing.T) {
	tests := []struct {
		name   string
		o      batch.Options[int]
		handle func(context.Context, *batch.Batch[int]) error
		calls  int
		ends   time.Duration // by itself
	}{
		{"the next batch", batch.Options[int]{CommitInterval: never},
			func(context.Context, *batch.Batch[int]) error { time.Sleep(10 * time.Second); return nil }, 2, 20 * time.Second},
		{"the next attempt", batch.Options[int]{CommitInterval: never, Retry: processor.Backoff{Min: time.Minute, Max: time.Minute}},
			func(context.Context, *batch.Batch[int]) error { return errBad }, 1, time.Minute},
		{"the dead letter", batch.Options[int]{CommitInterval: never, Attempts: 1},
			func(context.Context, *batch.Batch[int]) error { time.Sleep(20 * time.Second); return errBad }, 1, 20 * time.Second},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			r, _ := leased(t)
			begin, calls := time.Now(), 0
			tt.o.DeadLetter = func(context.Context, *batch.Batch[int], batch.Failure) error { calls++; return nil }
			r.handle(func(ctx context.Context, b *batch.Batch[int]) error {
				calls++
				return tt.handle(ctx, b)
			}, tt.o).start(1)
			if got := r.finish(); got != shardset.OutcomeLost {
				t.Errorf("the outcome is %v, want lost", got)
			}
			// Up to a minute is the jitter of a pause, which never passes its Max.
			if took := time.Since(begin); took > tt.ends || took < min(tt.ends, 20*time.Second) {
				t.Errorf("it took %v, want %v", took, tt.ends)
			}
			if calls != tt.calls {
				t.Errorf("%d calls, want %d", calls, tt.calls)
			}
			if got := r.store.last(); got != "" {
				t.Errorf("stored %q, want nothing", got)
			}
		})
	}
}

// TestNothingIsCommittedAfterTheLease tries each way to a commit with a batch that is
// acknowledged just after the lease has ended.
func TestNothingIsCommittedAfterTheLease(t *testing.T) {
	tests := []struct {
		name  string
		o     batch.Options[int]
		cause error
	}{
		{"timer", batch.Options[int]{}, nil},
		{"number", batch.Options[int]{CommitInterval: never, CommitItems: 1}, nil},
		{"revoke", batch.Options[int]{CommitInterval: never}, processor.ErrRevoked},
		{"shutdown", batch.Options[int]{CommitInterval: never}, processor.ErrShutdown},
	}
	for _, tt := range tests {
		for _, explicit := range []bool{false, true} {
			name := tt.name
			if explicit {
				name += ", acknowledged by name"
			}
			bubble(t, name, func(t *testing.T) {
				r, _ := leased(t)
				// The batch is acknowledged, and its handler never learned that it
				// should not have been.
				r.handle(func(_ context.Context, b *batch.Batch[int]) error {
					time.Sleep(lease + time.Second)
					if explicit {
						b.Ack()
					}
					return nil
				}, tt.o)
				r.store.set(func(s *store) {
					s.watch = func(p processor.Position) { t.Errorf("%q reaches the store", p) }
				})
				r.start(1)
				if tt.cause != nil {
					time.Sleep(lease)
					r.run.Revoke(tt.cause)
				}
				if got := r.finish(); got != shardset.OutcomeLost {
					t.Errorf("the outcome is %v, want lost", got)
				}
				if got := r.tape.count(func(t *tape) int { return t.reads }); got > 10 {
					t.Errorf("%d reads", got)
				}
			})
		}
	}
}

// TestFencedByTheStore stops at the first commit that the store refuses: another member
// has the shard.
func TestFencedByTheStore(t *testing.T) {
	bubble(t, "while handling", func(t *testing.T) {
		src := newTape(100)
		src.perRead = 10
		r := newRig(t, src)
		r.handle(func(ctx context.Context, _ *batch.Batch[int]) error {
			select {
			case <-time.After(10 * time.Second):
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}, batch.Options[int]{}).start(1)
		time.Sleep(5 * time.Second)
		other := processor.Owner{Member: "m2", Lease: shardset.Lease{ID: testShard, Epoch: 2}, Epochs: true}
		if _, _, err := r.store.Load(t.Context(), other); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if got := r.finish(); got != shardset.OutcomeFenced {
			t.Errorf("the outcome is %v, want fenced", got)
		}
		if took := time.Since(begin); took != 6*time.Second {
			t.Errorf("it took %v: want 5 s until the batch is handled and 1 s until its commit", took)
		}
		if got := r.store.committed(); got != nil {
			t.Errorf("stored %q, want nothing", got)
		}
	})
}
