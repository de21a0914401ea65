package slslog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

const (
	// firstGroupSize is the estimate for log groups before the first page, in bytes.
	firstGroupSize = 4 << 10

	// haltTooLargeAfter is how long the smallest page must be too large before the shard is halted:
	// one damaged header must not halt it.
	haltTooLargeAfter = 5 * time.Second
)

// page reads a page and returns it with its chunk. If the page is too large, it requests fewer log
// groups, because the groups of this page may be larger than those of the last one.
//
// A page that cannot be decoded does not halt the shard. Pages may be damaged on their way for an hour,
// so the page is read again until it is good.
func (r *reader) page(ctx context.Context, count int, end string) (sls.Page, batch.Chunk[Group], error) {
	for {
		p, body, err := r.pull(ctx, count, end)
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

// count returns how many log groups to request: as many as fit the limit if they are as large as those
// of the last page.
func (r *reader) count(l batch.Limit) int {
	group := r.groupSize
	if group == 0 {
		group = firstGroupSize
	}
	fit := min(l.Bytes, int64(r.source.o.MaxRaw)) / int64(group+groupBytes)
	return int(max(1, min(fit, int64(l.Items), sls.MaxCount)))
}

// pull reads a page. The returned buffer may hold the page's body; release it after the body was used.
func (r *reader) pull(ctx context.Context, count int, end string) (sls.Page, *buffer, error) {
	s := r.source
	var body *buffer
	request := sls.PullRequest{
		Shard: r.shard, Cursor: r.cursor, EndCursor: end, Count: count,
		Query: s.o.Query, Processor: s.o.Processor, Compression: s.o.Compression,
	}
	if r.bodySize > 0 { // an idle shard needs no buffer
		body = s.buffers.take(r.bodySize + r.bodySize/4)
		request.Buffer = body.b
	}
	p, err := s.client.Pull(ctx, request)
	if err != nil {
		body.release()
		var large *sls.PageSizeError
		if errors.As(err, &large) {
			r.groupSize = large.RawSize/max(1, large.Count) + 1
			return p, nil, r.tooLargeError(large.Count, large.RawSize, large.Max)
		}
		return p, nil, batchError(err)
	}
	r.requestedCount, r.bodySize = count, len(p.Body)
	if p.Count > 0 {
		r.groupSize = p.RawSize/p.Count + 1
	}
	return p, body, nil
}

// chunk decompresses and parses a page, and releases its body.
func (r *reader) chunk(p sls.Page, body *buffer) (batch.Chunk[Group], error) {
	defer body.release()
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
	var groups []Group
	if err == nil {
		groups, err = parse(raw, p.Count)
	}
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

// lastNumber returns the number of the last log group of a page. The numbers of the others follow from
// it. Positions inside the page, and so commits, depend on this number. So it must agree with the
// cursors before and after the page. With a query there is no number, because nothing shows which
// groups the query has dropped.
func (r *reader) lastNumber(p sls.Page) (int64, bool) {
	o := &r.source.o
	if o.Query != "" || o.Processor != "" {
		return 0, false
	}
	last, ok := p.ReadLastCursor()
	if next, ok := sls.CursorNumber(p.Next); !ok || next != last+1 {
		return 0, false
	}
	// If a group was missing in the page, the numbers of the groups before it would be too high, and a
	// commit would skip groups.
	if first, ok := sls.CursorNumber(r.cursor); !ok || first != last-int64(p.Count)+1 {
		return 0, false
	}
	return last, ok
}

func (r *reader) tooLargeError(groups, size, bound int) error {
	return &TooLargeError{Shard: r.shard, Cursor: r.cursor, Groups: groups, Size: size, Max: bound}
}

// haltIfStillTooLarge returns err. If the smallest page has been too large for long enough, the error
// halts the shard.
func (r *reader) haltIfStillTooLarge(now time.Time, err error) error {
	if r.tooLargeSince.IsZero() {
		r.tooLargeSince = now
	}
	if now.Sub(r.tooLargeSince) < haltTooLargeAfter {
		return err
	}
	return processor.Halt(err)
}

// damaged returns the error of a page that does not decompress, or is not a list of log groups.
func (r *reader) damaged(err error) error {
	return fmt.Errorf("slslog: page of shard %d at %q: %w", r.shard, r.cursor, err)
}
