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

	cursor string    // where the next read begins; empty: at the time start
	start  time.Time // where to begin if cursor is empty
	end    string    // the cursor where the reader ends; empty: none yet
	until  time.Time // the time where it ends; zero: none, or its cursor is final and is in end

	// The last page, as an estimate of the next one.
	requestedCount int // log groups requested for the last page
	groupSize      int // bytes of a log group, decompressed
	bodySize       int // bytes of a page, compressed

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
	// This comes before the page is read: see closedShards. A list that was requested before the reader
	// was opened does not count. If that list was wrong, each new reader would end at once.
	closed := r.source.closed.isClosed(r.shard, r.opened)
	now := time.Now()
	end, err := r.readEnd(ctx, now)
	if err != nil {
		return batch.Chunk[Group]{}, batchError(err)
	}
	if r.reached() {
		return batch.Chunk[Group]{Next: r.Position(), End: batch.EndBound, Lag: batch.LagUnknown}, nil
	}
	p, c, err := r.page(ctx, r.count(l), end)
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

// atEnd completes a chunk that reaches the end of the shard. It requests the list of shards if it is
// due.
func (r *reader) atEnd(ctx context.Context, now time.Time, moved bool, c *batch.Chunk[Group]) {
	closed := &r.source.closed
	c.Pause = r.source.o.Pause
	unknown, trouble := closed.stateUnknown(r.shard)
	c.Trouble = trouble
	if moved {
		return
	}
	c.Recommit = r.recommitTimer.due(now, unknown, rand.Float64())
	if closed.startRequest(now) {
		r.background.launch(ctx, func(ctx context.Context) { closed.request(ctx, r.log) })
	}
}

const (
	// fullPage is a size in bytes. If a page is at least as large, the service may have cut it, and
	// there is more to read. The service does not document the size. The service's own consumer library
	// chooses its pauses by page sizes of 1 and 4 MB.
	fullPage = 1 << 20

	// farBehind is the age of a page after which newer logs are probably waiting.
	farBehind = 3 * time.Second
)

// probablyMore reports whether the shard probably has more logs now, after a page that moved the
// position.
func (r *reader) probablyMore(p sls.Page, serviceNow time.Time) bool {
	switch {
	case p.Count >= r.requestedCount, p.RawSize >= fullPage:
		return true
	case p.RawDataCount >= r.requestedCount, p.RawDataSize >= fullPage:
		return true
	case p.CursorTime.IsZero():
		return p.Count == 0 // the query dropped everything
	}
	return serviceNow.Sub(p.CursorTime) > farBehind
}

// lag returns how far the next position is behind the end of the shard. It is the age of the logs at
// that position, counted from when the service received them.
func lag(p sls.Page, more bool, serviceNow time.Time) time.Duration {
	switch {
	case !more:
		return 0
	case p.CursorTime.IsZero():
		return batch.LagUnknown
	}
	return max(serviceNow.Sub(p.CursorTime), 0)
}
