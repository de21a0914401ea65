package slslog

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// reader reads one shard. It belongs to one goroutine at a time.
type reader struct {
	source        *Source
	shard         int
	log           *zap.Logger
	opened        time.Time
	cursor        string    // empty: not known before start
	start         time.Time // where to begin, as long as its cursor is not known
	until         time.Time // where to stop, as long as its cursor is not known
	end           string    // where to stop; empty: nowhere, or not known yet
	tooLargeSince time.Time // since when the smallest page is too large; zero: it is not

	// What the last pages were like, to guess what the next will be.
	askedCount int // the most groups that the last page could have
	groupSize  int // bytes of a log group, decompressed
	bodySize   int // bytes of a page, compressed

	background    background
	recommitTimer recommitTimer
}

const (
	// firstGroup is the guess before the first page.
	firstGroupSize = 4 << 10

	// full is a page that the service may have cut because of its size: there is more.
	// Where it cuts is not documented; the official consumer paces itself by 1 and 4 MB.
	fullPage = 1 << 20

	// behind is a page after which something is waiting that is older than this.
	farBehind = 3 * time.Second
)

// Position implements batch.Reader.
func (r *reader) Position() processor.Position { return processor.Position(r.cursor) }

// Close implements batch.Reader.
func (r *reader) Close() error {
	r.background.close()
	return nil
}

// Read implements batch.Reader.
func (r *reader) Read(ctx context.Context, l batch.Limit) (batch.Chunk[Group], error) {
	if r.cursor == "" {
		return r.awaitStart(ctx)
	}
	// Before the page: see closedShards. A list from before the reader was opened does not
	// count: if it had been wrong, this shard would end again at once, for ever.
	closed := r.source.closed.isClosed(r.shard, r.opened)
	now := time.Now()
	stop, err := r.bound(ctx, now)
	if err != nil {
		return batch.Chunk[Group]{}, batchError(err)
	}
	if r.reached() {
		return batch.Chunk[Group]{Next: r.Position(), End: batch.EndBound, Lag: batch.LagUnknown}, nil
	}
	p, c, err := r.page(ctx, r.count(l), stop)
	if err != nil {
		return batch.Chunk[Group]{}, err
	}
	moved := p.Next != r.cursor
	r.cursor = p.Next
	there := r.source.serviceTime(now)
	c.Next, c.More = r.Position(), moved && r.probablyMore(p, there)
	c.Lag = lag(p, c.More, there)
	if r.reached() {
		c.End, c.More = batch.EndBound, false
		return c, nil
	}
	if c.More {
		return c, nil
	}
	c.Pause = r.source.o.Pause
	if !moved && closed {
		c.End = batch.EndClosed
		return c, nil
	}
	unknown, trouble := r.source.closed.doubt(r.shard)
	c.Trouble = trouble
	if !moved {
		c.Recommit = r.recommitTimer.due(now, unknown, rand.Float64())
		if r.source.closed.startAsking(now) {
			r.background.launch(ctx, func(ctx context.Context) { r.source.closed.ask(ctx, r.log) })
		}
	}
	return c, nil
}

// page reads a page and makes it a chunk. One that is too large is asked for again with
// fewer groups: that the last page had small ones says little about this one.
//
// A page that makes no sense is an error like any other: something on the way may have
// spoiled it, and may go on for an hour. It is read again until it is clean.
func (r *reader) page(ctx context.Context, count int, stop string) (sls.Page, batch.Chunk[Group], error) {
	for {
		p, body, err := r.pull(ctx, count, stop)
		var c batch.Chunk[Group]
		if err == nil {
			c, err = r.chunk(p, body)
		}
		var large *TooLargeError
		switch {
		case err == nil:
			r.tooLargeSince = time.Time{}
			return p, c, nil
		case !errors.As(err, &large):
			r.tooLargeSince = time.Time{}
			return p, c, err
		case count == 1:
			return p, c, r.haltIfStillTooLarge(time.Now(), err)
		}
		count = max(1, min(count, large.Groups)/2)
	}
}

// count is how many groups to ask for: what fits the limit, if they are like the last
// ones.
func (r *reader) count(l batch.Limit) int {
	group := r.groupSize
	if group == 0 {
		group = firstGroupSize
	}
	fit := min(l.Bytes, int64(r.source.o.MaxRaw)) / int64(group+groupBytes)
	return int(max(1, min(fit, int64(l.Items), sls.MaxCount)))
}

// pull reads a page, into memory on loan.
func (r *reader) pull(ctx context.Context, count int, stop string) (sls.Page, *buffer, error) {
	s := r.source
	var body *buffer
	request := sls.PullRequest{
		Shard: r.shard, Cursor: r.cursor, EndCursor: stop, Count: count,
		Query: s.o.Query, Processor: s.o.Processor, Compression: s.o.Compression,
	}
	if r.bodySize > 0 { // an idle shard needs none
		body = s.buffers.take(r.bodySize + r.bodySize/4)
		request.Buffer = body.b
	}
	p, err := s.client.Pull(ctx, request)
	if err != nil {
		releaseBuffer(body)
		var large *sls.PageSizeError
		if errors.As(err, &large) {
			r.groupSize = large.RawSize/max(1, large.Count) + 1
			return p, nil, r.tooLargeError(large.Count, large.RawSize, large.Max)
		}
		return p, nil, batchError(err)
	}
	r.askedCount, r.bodySize = count, len(p.Body)
	if p.Count > 0 {
		r.groupSize = p.RawSize/p.Count + 1
	}
	return p, body, nil
}

// chunk decompresses and parses a page. It gives the body back.
func (r *reader) chunk(p sls.Page, body *buffer) (batch.Chunk[Group], error) {
	defer releaseBuffer(body)
	s := r.source
	if p.Count == 0 {
		return batch.Chunk[Group]{}, nil
	}
	if p.RawSize > s.o.MaxRaw {
		return batch.Chunk[Group]{}, r.tooLargeError(p.Count, p.RawSize, s.o.MaxRaw)
	}
	if err := checkRaw(p.Compression, len(p.Body), p.RawSize); err != nil {
		return batch.Chunk[Group]{}, r.damaged(err)
	}
	page := s.buffers.take(p.RawSize)
	raw, err := decompress(page.b, p.Body, p.Compression, p.RawSize)
	if err != nil {
		page.release()
		return batch.Chunk[Group]{}, r.damaged(err)
	}
	groups, err := parse(raw, p.Count)
	if err != nil {
		page.release()
		return batch.Chunk[Group]{}, r.damaged(err)
	}
	c := batch.Chunk[Group]{
		Items: groups, Bytes: int64(page.size() + groupBytes*len(groups)), Release: page.release,
	}
	if last, ok := r.lastNumber(p); ok {
		setCursors(groups, last)
		first := last - int64(len(groups)) + 1
		c.After = func(i int) processor.Position { return processor.Position(formatCursor(first + int64(i) + 1)) }
	}
	return c, nil
}

// lastNumber returns the number of the last log group of a page, from which those of the
// others follow. A query leaves out some of them, and nobody tells which. A number that
// is not that of the group before the next position is not believed: commits depend on
// it.
func (r *reader) lastNumber(p sls.Page) (int64, bool) {
	o := &r.source.o
	if o.Query != "" || o.Processor != "" {
		return 0, false
	}
	last, ok := p.ReadLastCursor()
	if next, ok := sls.CursorNumber(p.Next); !ok || next != last+1 {
		return 0, false
	}
	// With a gap anywhere, numbers counted back from the last would be too high, and a
	// commit of one would skip log groups.
	if first, ok := sls.CursorNumber(r.cursor); !ok || first != last-int64(p.Count)+1 {
		return 0, false
	}
	return last, ok
}

// releaseBuffer releases a buffer, if there is one.
func releaseBuffer(b *buffer) {
	if b != nil {
		b.release()
	}
}

// probablyMore reports whether there is probably more to read at once, after a page that
// moved.
func (r *reader) probablyMore(p sls.Page, now time.Time) bool {
	switch {
	case p.Count >= r.askedCount, p.RawSize >= fullPage:
		return true
	case p.RawDataCount >= r.askedCount, p.RawDataSize >= fullPage:
		return true
	case p.CursorTime.IsZero():
		return p.Count == 0 // it went through what a query drops
	}
	return now.Sub(p.CursorTime) > farBehind
}

// lag is how far the next position is behind the end of the shard. The service tells
// when it received what is there.
func lag(p sls.Page, more bool, now time.Time) time.Duration {
	switch {
	case !more:
		return 0
	case p.CursorTime.IsZero():
		return batch.LagUnknown
	}
	return max(now.Sub(p.CursorTime), 0)
}
