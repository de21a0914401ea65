package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

// putter puts lines. It belongs to one goroutine.
type putter struct {
	o       *options
	client  *sls.Client
	batches batches
	group   slslog.Builder

	lines, groups, bytes, retries int // stored; bytes are those of the groups, not compressed
	left                          int // lines that were read and not stored
}

// run puts everything. What was read before an error of the input is still put.
func (p *putter) run(ctx context.Context, in *input) error {
	p.batches.o = p.o
	reading, stop := context.WithCancel(ctx)
	defer stop()
	lines := make(chan line, 256)
	read := make(chan error, 1)
	// The reader may wait for standard input for ever, so nobody waits for it after a
	// signal or a failure: it ends with the process.
	go func() {
		defer close(lines)
		read <- in.read(reading, p.o.rate, lines)
	}()
	if err := p.put(ctx, lines); err != nil {
		return err
	}
	return <-read
}

// put puts the lines that come, until there are no more.
func (p *putter) put(ctx context.Context, lines <-chan line) error {
	linger := time.NewTimer(0)
	defer linger.Stop()
	for {
		if wait, ok := p.batches.next(time.Now()); ok {
			linger.Reset(wait)
		} else {
			linger.Stop()
		}
		var ready []*batch
		select {
		case l, ok := <-lines:
			if !ok {
				return p.send(ctx, p.batches.rest())
			}
			r, err := p.o.record(l, time.Now())
			if err != nil {
				return errors.Join(p.send(ctx, p.batches.rest()), err)
			}
			p.left++
			ready = p.batches.add(r, time.Now())
		case <-linger.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		// Also while lines keep coming: the select above takes either.
		if err := p.send(ctx, append(ready, p.batches.due(time.Now())...)); err != nil {
			return err
		}
	}
}

func (p *putter) send(ctx context.Context, ready []*batch) error {
	for _, b := range ready {
		if err := p.sendOne(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

// sendOne puts a group, and tries again where that may help.
func (p *putter) sendOne(ctx context.Context, b *batch) error {
	group, err := b.encode(&p.group, p.o.stamp, time.Now())
	if err != nil {
		return err
	}
	pauses := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(100*time.Millisecond), backoff.WithMaxInterval(10*time.Second),
		backoff.WithMaxElapsedTime(p.o.retry),
	)
	for {
		err := p.client.Put(ctx, group, sls.PutOptions{HashKey: hashKey(b.route.bucket), Compression: p.o.compression})
		if err == nil {
			p.lines += len(b.records)
			p.left -= len(b.records)
			p.groups++
			p.bytes += len(group)
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		pause := pauses.NextBackOff()
		if pause == backoff.Stop || !retryable(err) {
			return err
		}
		if err := sleep(ctx, max(pause, heartbeat.RetryAfter(err))); err != nil {
			return err
		}
		p.retries++
	}
}

// retryable reports whether the same put may succeed later. Of one that got no answer from
// the service nobody knows whether it was stored; it is put again rather than lost.
func retryable(err error) bool {
	var refused *sls.Error
	var unanswered *sls.TransportError
	var senseless *sls.ResponseError
	if errors.As(err, &refused) {
		return refused.Retryable()
	}
	return errors.As(err, &unanswered) || errors.As(err, &senseless)
}

// summary says what was done.
func (p *putter) summary(w io.Writer, took time.Duration) {
	fmt.Fprintf(w, "slsput: %d lines in %d groups, %d bytes, %d retries, %.3f seconds\n",
		p.lines, p.groups, p.bytes, p.retries, took.Seconds())
	if p.left > 0 {
		fmt.Fprintf(w, "slsput: %d more lines were read and not stored\n", p.left)
	}
}
