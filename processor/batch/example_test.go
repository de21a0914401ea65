package batch_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/processortest"
	"github.com/rollcall-go/rollcall/shardset"
)

// words is a source whose shards all hold the same items. A position is the number of items before it.
type words []string

func (w words) Open(_ context.Context, _ shardset.ID, start batch.Start) (batch.Reader[string], error) {
	r := &wordReader{words: w}
	if start.Position != "" {
		n, err := strconv.Atoi(string(start.Position))
		if err != nil || n < 0 || n > len(w) {
			return nil, fmt.Errorf("%w: %q", batch.ErrExpired, start.Position)
		}
		r.next = n
	}
	return r, nil
}

type wordReader struct {
	words words
	next  int
}

func (r *wordReader) Position() processor.Position { return processor.Position(strconv.Itoa(r.next)) }
func (r *wordReader) Close() error                 { return nil }

func (r *wordReader) Read(_ context.Context, l batch.Limit) (batch.Chunk[string], error) {
	n := min(l.Items, len(r.words)-r.next)
	c := batch.Chunk[string]{Items: r.words[r.next : r.next+n]}
	r.next += n
	c.Next, c.More = r.Position(), r.next < len(r.words)
	if !c.More {
		c.End = batch.EndClosed
	}
	return c, nil
}

// A source, a handler, and the Factory for a coordinator's Config. Here processortest runs it.
func ExampleHandle() {
	handle := func(ctx context.Context, b *batch.Batch[string]) error {
		fmt.Println(b.Items)
		return nil // acknowledges the batch
	}
	f := batch.Handle(words{"a", "b", "c"}, handle, batch.Options[string]{BatchItems: 2, Prefetch: -1})

	shard := processortest.New(processortest.Config{})
	fmt.Println(shard.Run(f))
	commits := shard.Status().Commits
	fmt.Println("committed", commits[len(commits)-1])
	// Output:
	// [a b]
	// [c]
	// shard is closed
	// committed 3
}

// One bad item goes to the dead letters; the others are handled.
func ExampleBatch_GiveUp() {
	handle := func(ctx context.Context, b *batch.Batch[string]) error {
		for i, word := range b.Items {
			if _, err := strconv.Atoi(word); err != nil {
				b.GiveUp(i, err)
				continue
			}
			fmt.Println("handled", word)
		}
		return nil // acknowledges the items that were not given up
	}
	f := batch.Handle(words{"1", "two", "3"}, handle, batch.Options[string]{
		DeadLetter: func(ctx context.Context, b *batch.Batch[string], f batch.Failure) error {
			fmt.Println("dead letter:", b.Items, f.Err)
			return nil // stored
		},
	})

	shard := processortest.New(processortest.Config{})
	err := shard.Run(f)
	fmt.Println(errors.Is(err, processor.ErrShardClosed), len(shard.Status().Poison), "poison")
	// Output:
	// handled 1
	// handled 3
	// dead letter: [two] strconv.Atoi: parsing "two": invalid syntax
	// true 1 poison
}

// The loop in your own Process.
func ExampleRange() {
	budget := batch.NewBudget(batch.DefaultBudget, 64) // shared by all shards
	process := func(ctx context.Context, s *processor.Shard) error {
		o := batch.Options[string]{Budget: budget, BatchItems: 2}
		for b, err := range batch.Range(ctx, s, words{"a", "b", "c"}, o) {
			if err != nil {
				return err // here: the shard is closed
			}
			fmt.Println(b.Items)
			b.Ack()
		}
		return nil
	}
	f := func(context.Context, shardset.Lease) (processor.Processor, error) {
		return processor.Func(process), nil
	}

	fmt.Println(processortest.New(processortest.Config{}).Run(f))
	// Output:
	// [a b]
	// [c]
	// shard is closed
}
