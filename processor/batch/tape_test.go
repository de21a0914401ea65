package batch_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// tape is a Source of numbers: the item at position n is n. It can be set to fail, to
// hang, to drop items as a filter does, and to end.
type tape struct {
	mu       sync.Mutex // guards the fields below
	begin    int        // items before this one have expired
	end      int        // items that there are
	closed   bool       // no more will come
	perRead  int        // at most so many items a read; zero: as the limit says
	each     int64      // bytes of an item; zero means 100
	delay    time.Duration
	drop     func(item int) bool       // the filter
	fail     func(at int) error        // called in each Read
	openFail func(batch.Start) error   // called in each Open
	onOpen   func(ctx context.Context) // called in each Open, without the lock
	onRead   func(ctx context.Context) // called in each Read, without the lock
	opens    []batch.Start
	reads    int
	open     int                                       // readers
	alive    int                                       // chunks not released
	doubled  int                                       // chunks released twice
	items    bool                                      // give a position for each item
	pause    time.Duration                             // asked for with each chunk
	since    func(time.Time) int                       // the first item that came at a time or later
	wrap     func(batch.Reader[int]) batch.Reader[int] // goes around each reader
	sizes    func(at int) int                          // how many items the read at a position brings
	arrive   chan struct{}                             // closed and replaced when items come; for a reader that waits
}

func newTape(items int) *tape { return &tape{end: items, arrive: make(chan struct{})} }

// add makes more items.
func (t *tape) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end += n
	close(t.arrive)
	t.arrive = make(chan struct{})
}

// set changes something.
func (t *tape) set(f func(t *tape)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t)
}

// count reads something.
func (t *tape) count(f func(t *tape) int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return f(t)
}

func position(n int) processor.Position { return processor.Position(strconv.Itoa(n)) }

func number(p processor.Position) int {
	n, err := strconv.Atoi(string(p))
	if err != nil {
		panic(err)
	}
	return n
}

func (t *tape) Open(ctx context.Context, _ shardset.ID, start batch.Start) (batch.Reader[int], error) {
	t.mu.Lock()
	onOpen := t.onOpen
	t.mu.Unlock()
	if onOpen != nil {
		onOpen(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opens = append(t.opens, start)
	if t.openFail != nil {
		if err := t.openFail(start); err != nil {
			return nil, err
		}
	}
	r := &tapeReader{tape: t, at: t.begin, until: -1}
	switch {
	case start.Position != "":
		if r.at = number(start.Position); r.at < t.begin {
			return nil, fmt.Errorf("tape begins at %d, not %d: %w", t.begin, r.at, batch.ErrExpired)
		}
	case start.Initial == batch.Latest():
		r.at = t.end
	}
	if start.UntilPosition != "" {
		r.until = number(start.UntilPosition)
	}
	if at, ok := start.Initial.Time(); ok && start.Position == "" {
		r.at = t.since(at)
	}
	if !start.Until.IsZero() && t.since != nil {
		r.until = t.since(start.Until)
	}
	t.open++
	if t.wrap != nil {
		return t.wrap(r), nil
	}
	return r, nil
}

type tapeReader struct {
	tape  *tape
	at    int
	until int
}

func (r *tapeReader) Position() processor.Position { return position(r.at) }

func (r *tapeReader) Close() error {
	r.tape.mu.Lock()
	defer r.tape.mu.Unlock()
	r.tape.open--
	return nil
}

func (r *tapeReader) Read(ctx context.Context, l batch.Limit) (batch.Chunk[int], error) {
	t := r.tape
	t.mu.Lock()
	t.reads++
	delay, onRead := t.delay, t.onRead
	t.mu.Unlock()
	if onRead != nil {
		onRead(ctx)
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return batch.Chunk[int]{}, ctx.Err()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fail != nil {
		if err := t.fail(r.at); err != nil {
			return batch.Chunk[int]{}, err
		}
	}
	if r.at < t.begin {
		return batch.Chunk[int]{}, fmt.Errorf("read at %d: %w", r.at, batch.ErrExpired)
	}
	return r.chunk(l), nil
}

// chunk takes what comes next. The lock is held.
func (r *tapeReader) chunk(l batch.Limit) batch.Chunk[int] {
	t := r.tape
	each := max(t.each, 1)
	if t.each == 0 {
		each = 100
	}
	n := max(1, min(l.Items, int(l.Bytes/each)))
	if t.perRead > 0 {
		n = min(n, t.perRead)
	}
	if t.sizes != nil {
		n = min(n, t.sizes(r.at))
	}
	end := t.end
	if r.until >= 0 {
		end = min(end, r.until)
	}
	c := batch.Chunk[int]{}
	for ; r.at < end && n > 0; n-- {
		if t.drop == nil || !t.drop(r.at) {
			c.Items = append(c.Items, r.at)
		}
		r.at++
	}
	c.Next, c.Bytes, c.More = position(r.at), each*int64(len(c.Items)), r.at < end
	c.Pause = t.pause
	c.Lag = time.Duration(t.end-r.at) * time.Second
	switch {
	case r.at == r.until:
		c.End = batch.EndBound
	case t.closed && r.at == t.end:
		c.End = batch.EndClosed
	}
	if t.items {
		items := slices.Clone(c.Items)
		c.After = func(i int) processor.Position { return position(items[i] + 1) }
	}
	if len(c.Items) > 0 {
		t.alive++
		released := false
		c.Release = func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			if released {
				t.doubled++
				return
			}
			released = true
			t.alive--
		}
	}
	return c
}
