package main

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
	"github.com/rollcall-go/rollcall/examples/natsworker/internal/source"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// output is what is printed.
type output uint8

const (
	outputMessages output = iota + 1
	outputBatches
	outputNone
)

// handle handles a batch. It is acknowledged when all of it is printed.
func (w *worker) handle(ctx context.Context, b *batch.Batch[source.Message]) error {
	began := time.Now()
	if err := pause(ctx, w.o.handleTime*time.Duration(len(b.Items))); err != nil {
		return err
	}
	c := look(b.Items, time.Now())
	c.began = began
	if err := w.print(ctx, b, c); err != nil {
		return err
	}
	w.tally.add(c)
	return nil
}

// pause sleeps for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// contents is what is in a batch.
type contents struct {
	began    time.Time // when its handling did
	at       time.Time // when it was looked at
	messages int
	bytes    int64 // of all data

	// Of the messages that are records.
	records     int
	first, last int64         // numbers
	breaks      int           // how often a number did not follow the one before
	wait        time.Duration // the longest since one was put
}

// look looks at all messages.
func look(messages []source.Message, now time.Time) contents {
	c := contents{at: now, messages: len(messages)}
	for _, m := range messages {
		c.bytes += int64(len(m.Data))
		if r, err := partitioned.ParseRecord(m.Data); err == nil {
			c.record(r, now)
		}
	}
	return c
}

// record counts a record. A time in the future, by another machine's clock, is no wait.
func (c *contents) record(r partitioned.Record, now time.Time) {
	switch {
	case c.records == 0:
		c.first = r.Number
	case r.Number != c.last+1:
		c.breaks++
	}
	c.records++
	c.last = r.Number
	c.wait = max(c.wait, now.Sub(r.Put))
}

// print prints what there is to print of a batch. The shard may be another's by now,
// after the sleep, the wait for the output, or a time in which the process was frozen:
// then nothing is printed.
func (w *worker) print(ctx context.Context, b *batch.Batch[source.Message], c contents) error {
	var text []byte
	switch w.o.output {
	case outputBatches:
		text = appendBatch(nil, w.o.member, b, c)
	case outputMessages:
		for _, m := range b.Items {
			text = appendMessage(text, b.ID().Number, m)
		}
	}
	return w.lines.write(ctx, text, b.Check)
}
