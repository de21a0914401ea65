package source

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// reader reads one partition. It belongs to one goroutine at a time.
type reader struct {
	source  *Source
	subject string
	next    uint64    // the position; zero: not known before the first message
	since   time.Time // where to begin as long as it is not
	fresh   bool      // next is where the stream began, so what is gone was not promised
	watch   watch
}

// Position implements batch.Reader.
func (r *reader) Position() processor.Position { return position(r.next) }

// Close implements batch.Reader. There is nothing on the server to clean up.
func (r *reader) Close() error { return nil }

// Read implements batch.Reader.
func (r *reader) Read(ctx context.Context, l batch.Limit) (batch.Chunk[Message], error) {
	f, whole, err := r.fetch(ctx, l)
	if err != nil {
		return batch.Chunk[Message]{}, fmt.Errorf("read %s: %w", r.subject, err)
	}
	if len(f.messages) == 0 {
		return r.idle(ctx)
	}
	if !whole {
		if err := r.unbroken(ctx); err != nil {
			return batch.Chunk[Message]{}, err
		}
	}
	r.fresh, r.watch = false, watch{}
	return r.chunk(f), nil
}

// chunk takes what was found, and moves on.
func (r *reader) chunk(f found) batch.Chunk[Message] {
	items := f.messages
	last := items[len(items)-1]
	r.next = last.Sequence + 1
	c := batch.Chunk[Message]{
		Items: items, Next: r.Position(), Bytes: f.bytes, More: f.pending > 0,
		After: func(i int) processor.Position { return position(items[i].Sequence + 1) },
	}
	if c.More { // the clocks of two machines: it may not seem to be behind
		c.Lag = max(time.Since(last.Time), time.Millisecond)
	}
	return c
}

// fetch returns what comes next, and whether it is certain that nothing before it is
// gone: the message before the position is there, or the one at it, or there was no
// position.
func (r *reader) fetch(ctx context.Context, l batch.Limit) (f found, whole bool, err error) {
	request := getRequest{NextFor: r.subject, Batch: l.Items + 1, MaxBytes: int(l.Bytes)}
	if r.next == 0 {
		request.StartTime = &r.since
	} else {
		request.Seq = max(r.next-1, 1)
	}
	f, err = r.source.gets.get(ctx, request)
	if err != nil {
		return f, false, err
	}
	anchored := f.skip(r.next)
	if anchored && len(f.messages) == 0 && f.pending > 0 {
		// That message alone was more than the limit.
		request.Seq, anchored = r.next, false
		if f, err = r.source.gets.get(ctx, request); err != nil {
			return f, false, err
		}
	}
	f.cut(l.Items)
	whole = anchored || r.next == 0 || len(f.messages) > 0 && f.messages[0].Sequence == r.next
	return f, whole, nil
}

// skip drops the message before the position, if it was found.
func (f *found) skip(next uint64) bool {
	if len(f.messages) == 0 || f.messages[0].Sequence >= next {
		return false
	}
	f.bytes -= f.messages[0].size()
	f.messages = f.messages[1:]
	return true
}

// cut drops what is over the limit.
func (f *found) cut(items int) {
	for len(f.messages) > items {
		last := len(f.messages) - 1
		f.bytes -= f.messages[last].size()
		f.messages = f.messages[:last]
		f.pending++
	}
}

// unbroken returns an error that matches batch.ErrExpired if the stream begins behind the
// position by now, so that something may be missing before what was found.
func (r *reader) unbroken(ctx context.Context) error {
	s, err := r.source.states.newerThan(ctx, time.Now())
	if err != nil {
		return err
	}
	return r.expired(s)
}

func (r *reader) expired(s state) error {
	if s.first <= r.next || r.fresh {
		return nil
	}
	return fmt.Errorf("%w: the stream %s begins at %d, behind the position %d of %s",
		batch.ErrExpired, r.source.stream.Name, s.first, r.next, r.subject)
}
