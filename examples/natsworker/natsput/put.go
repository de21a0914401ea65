package main

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
)

// putter puts records into all partitions. It belongs to one goroutine.
type putter struct {
	o    *options
	js   jetstream.JetStream
	line []byte
	next []int64 // of each partition: the number of the next record

	stored, again int
}

const (
	// readers is how many partitions are asked for their last number at a time.
	readers = 32
	// window is the most records that wait for their acknowledgement.
	window = 2000
	// pause is between two tries to put what was not acknowledged.
	pause = 250 * time.Millisecond
	// ackTimeout is how long to wait for an acknowledgement.
	ackTimeout = 3 * time.Second
	// patience is for how long a record is put again. Servers that elect a leader need
	// seconds; what takes longer is for people. The servers know the record for longer.
	patience = partitioned.Retry
)

// newPutter finds out where the partitions end.
func newPutter(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, o *options) (*putter, error) {
	p := &putter{o: o, js: js, line: bytes.Repeat([]byte("x"), o.size), next: make([]int64, o.stream.Partitions)}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var all errgroup.Group
	all.SetLimit(readers)
	for i := range p.next {
		all.Go(func() error {
			last, err := o.stream.Last(ctx, nc, i)
			p.next[i] = last.Number + 1
			return err
		})
	}
	return p, all.Wait()
}

// run puts rounds, one record into each partition, at the pace that was asked for. What
// is late is made up for.
func (p *putter) run(ctx context.Context) error {
	begin := time.Now()
	for round := 0; p.o.count == 0 || round < p.o.count; round++ {
		if p.o.rate > 0 {
			due := begin.Add(time.Duration(float64(round) / p.o.rate * float64(time.Second)))
			wait(ctx, time.Until(due))
		}
		if ctx.Err() != nil {
			return nil // the end that was asked for
		}
		// What was begun is finished, so that the numbers have no hole.
		for first := 0; first < len(p.next); first += window {
			if err := p.put(first, min(first+window, len(p.next))); err != nil {
				return err
			}
		}
	}
	return nil
}

// wait waits for d, or until ctx ends.
func wait(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// put puts a record into each of some partitions, and returns when all are stored.
func (p *putter) put(first, end int) error {
	open := make([]int, 0, end-first)
	for i := first; i < end; i++ {
		open = append(open, i)
	}
	deadline := time.Now().Add(patience)
	for {
		left, err := p.try(open)
		p.stored += len(open) - len(left)
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d records are not stored: %w", len(left), err)
		}
		open = left
		p.again += len(left)
		time.Sleep(pause)
	}
}

// try puts the next record of some partitions, and returns those whose record was not
// acknowledged, with the error of one. A partition has one record on its way: behind one
// that failed another one could be stored, and the order be lost.
func (p *putter) try(open []int) (left []int, err error) {
	acks := make([]jetstream.PubAckFuture, len(open))
	errs := make([]error, len(open))
	for k, i := range open {
		subject, number := p.o.stream.Subject(i), p.next[i]
		data := partitioned.AppendRecord(nil, partitioned.Record{Number: number, Put: time.Now(), Line: p.line})
		id := jetstream.WithMsgID(subject + "-" + strconv.FormatInt(number, 10))
		acks[k], errs[k] = p.js.PublishAsync(subject, data, id)
	}
	for k, i := range open {
		if errs[k] == nil {
			errs[k] = result(acks[k])
		}
		if errs[k] != nil {
			left, err = append(left, i), errs[k]
			continue
		}
		p.next[i]++
	}
	return left, err
}

// result waits for an acknowledgement. The library ends the wait after ackTimeout.
func result(ack jetstream.PubAckFuture) error {
	select {
	case <-ack.Ok():
		return nil
	case err := <-ack.Err():
		return err
	}
}
