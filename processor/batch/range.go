package batch

import (
	"context"
	"errors"
	"iter"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
	"github.com/rollcall-go/rollcall/shardset"
)

// ErrNotAcknowledged is the error of a batch if the body of a loop over Range called neither Ack nor
// Fail for it.
var ErrNotAcknowledged = errors.New("batch was not acknowledged")

// errRangeTwice: a second loop would begin again at the position of the first one.
var errRangeTwice = errors.New("batch: a Range can be looped over once")

// errLoopEnded is the result of the batch at which the body left a loop over Range. The batch has not
// failed, so no action is chosen.
var errLoopEnded = errors.New("the loop over the batches has ended")

// Range returns the batches of a shard, for a loop in your own Process. It works as Handle does, but
// the body of the loop is the handler:
//
//	for b, err := range batch.Range(ctx, s, src, o) {
//		if err != nil {
//			return err // the shard is closed, or Process has to return
//		}
//		... // handle b.Items
//		b.Ack()
//	}
//	return nil
//
// For each batch the body calls Ack, or Fail with the reason. If it calls neither, the batch has failed
// with ErrNotAcknowledged. After a failure, the Options decide.
//
// An error comes only in the last round of the loop, with a nil batch. Process should return it. After
// a revocation there is no error, unless the last commit failed. If o or src is wrong, the first round
// has an error that matches *shardset.ConfigError.
//
// If the body leaves the loop or panics, all acknowledged items are still committed, also those of the
// last batch. If ctx has ended, they are not.
//
// All shards should share one Options.Budget; if it is nil, each call of Range makes its own. Range
// refuses Options.Concurrency above 1, Options.Key and Options.Timeout. Only one goroutine may loop
// over the result, and only once.
func Range[T any](ctx context.Context, s *processor.Shard, src Source[T], o Options[T]) iter.Seq2[*Batch[T], error] {
	err := setRangeDefaults(src, &o)
	used := false
	return func(yield func(*Batch[T], error) bool) {
		if err != nil {
			yield(nil, processor.Fatal(err))
			return
		}
		if used {
			yield(nil, processor.Fatal(errRangeTwice))
			return
		}
		used = true
		r := &ranging[T]{offers: make(chan *Batch[T]), replies: make(chan error), quit: make(chan struct{}), done: make(chan error, 1)}
		l := newLoop(ctx, s, src, r.handle, o)
		l.quit = r.quit
		go func() { // Owner and waiter: r.run. Stop: r.quit, or the loop ends by itself.
			err := processor.ErrGoexit
			defer func() { r.done <- err }() // even if the source ends the goroutine
			err = contain.Call("Range", l.run)
		}()
		r.run(yield)
	}
}

// setRangeDefaults is setDefaults for Range. It refuses options that need several handlers at a time, or
// a context for each batch.
func setRangeDefaults[T any](src Source[T], o *Options[T]) error {
	faults := &shardset.ConfigError{Config: "batch.Options"}
	if src == nil {
		faults.Add("Source", "is nil")
	}
	if o.Concurrency > 1 {
		faults.Add("Concurrency", "is %d; Range handles one batch at a time", o.Concurrency)
	}
	if o.Key != nil {
		faults.Add("Key", "is set; Range handles one batch at a time")
	}
	if o.Timeout > 0 {
		faults.Add("Timeout", "is %v; Range has no context for each batch", o.Timeout)
	}
	return o.setDefaults(faults)
}

// ranging passes batches from the loop's goroutines to the body of a range statement.
type ranging[T any] struct {
	offers  chan *Batch[T]
	replies chan error    // one for each offer
	quit    chan struct{} // closed when the body has left
	done    chan error    // the result of the loop
}

// handle is the handler of the loop.
func (r *ranging[T]) handle(ctx context.Context, b *Batch[T]) error {
	select {
	case r.offers <- b:
		return <-r.replies
	case <-r.quit:
		return errLoopEnded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// run calls the body for each batch. It returns, or panics with the body, only after the loop has ended.
func (r *ranging[T]) run(yield func(*Batch[T], error) bool) {
	ended := false
	defer func() {
		if !ended {
			close(r.quit)
			<-r.done
		}
	}()
	for {
		select {
		case b := <-r.offers:
			if !r.body(b, yield) {
				return
			}
		case err := <-r.done:
			ended = true
			if err != nil {
				yield(nil, err)
			}
			return
		}
	}
}

// body calls the body for one batch, and reports whether the range statement goes on.
func (r *ranging[T]) body(b *Batch[T], yield func(*Batch[T], error) bool) (more bool) {
	defer func() {
		r.replies <- b.outcome(!more)
	}()
	return yield(b, nil)
}

// outcome returns the result of the body for the batch.
func (b *Batch[T]) outcome(left bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ackCalled:
		return nil
	case left:
		return errLoopEnded
	case b.failure != nil:
		return b.failure
	}
	return ErrNotAcknowledged
}
