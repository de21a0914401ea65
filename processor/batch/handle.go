package batch

import (
	"context"
	"errors"
	"iter"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
	"github.com/rollcall-go/rollcall/shardset"
)

// Handle returns a Factory whose processors read batches from src and give each to
// fn. A nil result acknowledges the whole batch, unless its context has ended
// meanwhile; after an error or a panic the Options say what becomes of it. fn runs for
// several shards at once, and for several batches of one if Options.Concurrency says
// so. A batch is in the hands of one fn at a time.
//
// If src, fn or o is wrong, the worker ends when its first shard starts, with a
// *shardset.ConfigError that lists every fault. Options.Validate finds those of o earlier.
func Handle[T any](src Source[T], fn func(ctx context.Context, b *Batch[T]) error, o Options[T]) processor.Factory {
	faults := &shardset.ConfigError{Config: "batch.Options"}
	if src == nil {
		faults.Add("Source", "is nil")
	}
	if fn == nil {
		faults.Add("Handler", "is nil")
	}
	err := o.complete(faults)
	return func(context.Context, shardset.Lease) (processor.Processor, error) {
		if err != nil {
			return nil, processor.Fatal(err)
		}
		return processor.Func(func(ctx context.Context, s *processor.Shard) error {
			return newLoop(ctx, s, src, fn, o).run()
		}), nil
	}
}

// ErrNotAcknowledged is how a batch failed that a loop over Range went past without a
// word.
var ErrNotAcknowledged = errors.New("batch was not acknowledged")

// errRangeTwice keeps a second pass from going back to where the first one began.
var errRangeTwice = errors.New("batch: a Range can be run through once")

// errBroken is what is said of a batch at which a loop over Range ended. It is no
// failure: nobody judges it.
var errLoopEnded = errors.New("the loop over the batches has ended")

// Range is Handle for those who want the loop. It is called in Process:
//
//	for b, err := range batch.Range(ctx, s, src, o) {
//		if err != nil {
//			return err // the end of the shard, or a reason to stop
//		}
//		... // handle b.Items
//		b.Ack()
//	}
//	return nil
//
// The body is the handler, and has to say so when a batch was handled: with Ack, or
// with Fail why not. A batch that it goes past without a word has failed with
// ErrNotAcknowledged, and comes again as the Options say. An error comes once, at the
// end, with a nil batch; it is what Process should return. When the shard has to go
// the loop just ends. When the loop ends or panics what was acknowledged is committed,
// unless ctx has ended; the batch at which it did is acknowledged if Ack was called.
//
// Share one Budget among the shards: without one in the Options each call makes its
// own. Concurrency, Key and Timeout do not fit a loop and are faults. The loop belongs
// to one goroutine, and can be run through once.
func Range[T any](ctx context.Context, s *processor.Shard, src Source[T], o Options[T]) iter.Seq2[*Batch[T], error] {
	err := completeRange(src, &o)
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
		go func() { // ends when it is told to quit, or by itself; run waits for it
			err := processor.ErrGoexit
			defer func() { r.done <- err }() // also if the source's code ends the goroutine
			err = contain.Call("Range", l.run)
		}()
		r.run(yield)
	}
}

// completeRange fills in the defaults. Options that need several handlers at a time, or a
// context for each, are faults.
func completeRange[T any](src Source[T], o *Options[T]) error {
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
	return o.complete(faults)
}

// ranging carries batches from the loop's goroutines to the body of a range.
type ranging[T any] struct {
	offers  chan *Batch[T]
	replies chan error    // one for each offer
	quit    chan struct{} // closed when the body wants no more
	done    chan error    // the loop's result
}

// handle is the handler that the loop knows.
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

// run calls the body. Whichever way it ends, nothing of the loop is left then.
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

// body has one batch handled, and reports whether the body wants more.
func (r *ranging[T]) body(b *Batch[T], yield func(*Batch[T], error) bool) (more bool) {
	defer func() {
		r.replies <- b.outcome(!more)
	}()
	return yield(b, nil)
}

// outcome returns how the body of a loop left the batch.
func (b *Batch[T]) outcome(broken bool) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.ackCalled:
		return nil
	case broken:
		return errLoopEnded
	case b.failure != nil:
		return b.failure
	}
	return ErrNotAcknowledged
}
