package slslog

import (
	"context"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// reader reads one shard. It belongs to one goroutine at a time.
type reader struct {
	source *Source
	shard  int
	log    *zap.Logger
	opened time.Time

	cursor string    // where the next read begins; empty: at start, which has no cursor yet
	start  time.Time // where to begin while cursor is empty
	end    string    // where to stop; empty: nowhere, or at until
	until  time.Time // where to stop, until its cursor is final; zero: nowhere, or at end

	// What the last pages were like. It predicts the next one.
	askedCount int // log groups requested for the last page
	groupSize  int // bytes of a log group, decompressed
	bodySize   int // bytes of a page, compressed

	tooLargeSince time.Time // since when the smallest page is too large; zero: it is not
	recommitTimer recommitTimer
	background    background
}

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
	// Before the page: see closedShards. A list from before the reader was opened does not count:
	// if it was wrong, the shard would end at once after each restart.
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
	serviceNow := r.source.serviceTime(now)
	c.Next, c.More = r.Position(), moved && r.probablyMore(p, serviceNow)
	c.Lag = lag(p, c.More, serviceNow)
	switch {
	case r.reached():
		c.End, c.More = batch.EndBound, false
	case c.More:
	case !moved && closed:
		c.End, c.Pause = batch.EndClosed, r.source.o.Pause
	default:
		r.atEnd(ctx, now, moved, &c)
	}
	return c, nil
}

// atEnd completes a chunk after which there is nothing more to read now.
func (r *reader) atEnd(ctx context.Context, now time.Time, moved bool, c *batch.Chunk[Group]) {
	closed := &r.source.closed
	c.Pause = r.source.o.Pause
	unknown, trouble := closed.doubt(r.shard)
	c.Trouble = trouble
	if moved {
		return
	}
	c.Recommit = r.recommitTimer.due(now, unknown, rand.Float64())
	if closed.startAsking(now) {
		r.background.launch(ctx, func(ctx context.Context) { closed.ask(ctx, r.log) })
	}
}

const (
	// fullPage is the size of a page that the service may have cut: there is more. The service does
	// not document where it cuts; its own consumer paces itself by 1 and 4 MB.
	fullPage = 1 << 20

	// farBehind is the age of a page after which newer logs are probably waiting.
	farBehind = 3 * time.Second
)

// probablyMore reports whether there is probably more to read at once, after a page that moved the
// position.
func (r *reader) probablyMore(p sls.Page, serviceNow time.Time) bool {
	switch {
	case p.Count >= r.askedCount, p.RawSize >= fullPage:
		return true
	case p.RawDataCount >= r.askedCount, p.RawDataSize >= fullPage:
		return true
	case p.CursorTime.IsZero():
		return p.Count == 0 // the query dropped everything
	}
	return serviceNow.Sub(p.CursorTime) > farBehind
}

// lag returns how far the next position is behind the end of the shard, from the time when the
// service received what is there.
func lag(p sls.Page, more bool, serviceNow time.Time) time.Duration {
	switch {
	case !more:
		return 0
	case p.CursorTime.IsZero():
		return batch.LagUnknown
	}
	return max(serviceNow.Sub(p.CursorTime), 0)
}
