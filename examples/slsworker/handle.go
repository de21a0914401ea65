package main

import (
	"context"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

// output is what is printed.
type output uint8

const (
	outputLogs output = iota + 1
	outputBatches
	outputNone
)

// handle handles a batch. It is acknowledged when all of it is printed.
func (w *worker) handle(ctx context.Context, b *batch.Batch[slslog.Group]) error {
	if err := pause(ctx, w.o.handleTime); err != nil {
		return err
	}
	at := time.Now()
	c := w.read(b.Items, at)
	if err := w.print(ctx, b, at, c); err != nil {
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
	groups, logs int
	bytes        int64         // of all values
	sum          byte          // of all values, so that they are read
	stamped      bool          // there is a put_ns
	wait         time.Duration // the longest since a put_ns
}

// stamp is the content in which examples/slsput leaves the time.
const stamp = "put_ns"

// read reads all values of the groups, and measures the waits.
func (w *worker) read(groups []slslog.Group, now time.Time) contents {
	c := contents{groups: len(groups)}
	for _, g := range groups {
		for log := range g.Logs() {
			c.logs++
			for key, value := range log.Contents() {
				c.bytes += int64(len(value))
				c.sum += sum(value)
				if string(key) == stamp {
					w.wait(&c, value, now)
				}
			}
		}
	}
	return c
}

// sum reads a value: a byte of each line of the processor's cache.
func sum(value []byte) (s byte) {
	const cacheLine = 64
	for i := 0; i < len(value); i += cacheLine {
		s += value[i]
	}
	return s
}

// wait notes the time since a stamp. One that is no number, or in the future because of
// another machine's clock, is none.
func (w *worker) wait(c *contents, value []byte, now time.Time) {
	put, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return
	}
	d := time.Duration(now.UnixNano() - put)
	if put <= 0 || d < 0 {
		return
	}
	w.tally.waits.add(d)
	c.stamped, c.wait = true, max(c.wait, d)
}

// print prints what there is to print of a batch. The shard may be another's by now,
// after the sleep, the wait for the output, or a time in which the process was frozen:
// then nothing is printed.
func (w *worker) print(ctx context.Context, b *batch.Batch[slslog.Group], at time.Time, c contents) error {
	if w.o.output == outputNone {
		return b.Check()
	}
	p, err := w.lines.begin(ctx)
	if err != nil {
		return err
	}
	defer p.end()
	p.check = b.Check
	if w.o.output == outputBatches {
		p.b = appendBatch(p.b, w.o.member, b, at, c)
		return p.flush()
	}
	for _, g := range b.Items {
		if err := p.logs(b, g); err != nil {
			return err
		}
	}
	return p.flush()
}
