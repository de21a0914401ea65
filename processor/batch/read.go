package batch

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
)

// reading is the state of reading one shard. While a read is running, the field reader belongs to its
// goroutine. All other fields belong to the loop.
type reading[T any] struct {
	ctx  context.Context // ends when the loop is closing
	stop context.CancelFunc

	reader    Reader[T]          // nil: not opened
	reopen    bool               // open a new reader before the next read
	running   bool               // a read or an opening is running
	discard   bool               // discard the result of the running read
	next      processor.Position // where the next read begins; empty: the reader does not know yet
	notBefore time.Time          // when the next read may begin
	slowAt    time.Time          // when the running read counts as slow; zero: never

	atEnd   bool  // the last read reached the end of the shard
	idle    bool  // the last read found nothing
	failing bool  // the last read failed
	trouble error // the error of the last read, or Chunk.Trouble
	lag     lagSample

	gapErr   error     // ErrGone or ErrExpired, confirmed: the next runRead acts on it
	gapSince time.Time // when reads began to fail with this kind of error; zero: they do not fail with either
	goneErr  error     // the last of these errors, if it matches ErrGone
	afterGap bool      // the reader was opened after a gap: see initial

	buffered int64         // bytes of the budget that this shard's chunks use
	yielded  []yieldedPart // the parts that released their memory for other shards

	pacer    pacer
	failures schedule
	throttle schedule
}

// readResult is one read, or one opening of a reader, and its result.
type readResult[T any] struct {
	ctx   context.Context
	class class
	atEnd bool // wait for data first, if the reader is a Waiter
	open  bool // open the reader instead of reading

	opened bool               // the reader was opened
	start  processor.Position // where the opened reader begins
	gone   bool               // the shard is gone; without err, its gap was reported
	chunk  Chunk[T]
	share  share
	keys   [][]int32 // with Options.Key: the indexes of the items of each lane
	waited time.Duration
	err    error
}

// mayRead reports whether another read is wanted and there is room for its result.
func (l *loop[T]) mayRead() bool {
	r := &l.reading
	return !r.running && !l.noMoreReads && !l.closing() &&
		len(l.window.entries) < l.o.Concurrency+l.o.Prefetch &&
		(r.buffered == 0 || r.buffered+l.o.BatchBytes <= l.o.ShardBytes)
}

// startRead starts the next read if it is due.
func (l *loop[T]) startRead(now time.Time) {
	r := &l.reading
	if !l.mayRead() || now.Before(r.notBefore) {
		return
	}
	r.running = true
	if _, waits := r.reader.(Waiter); !waits || !r.atEnd {
		r.slowAt = now.Add(slowRead)
	}
	res := &readResult[T]{
		ctx: r.ctx, atEnd: r.atEnd,
		open: r.reader == nil || r.reopen || r.gapErr != nil, err: processor.ErrGoexit,
	}
	switch {
	case r.failing:
		res.class = classFailing
	case r.idle:
		res.class = classIdle
	}
	l.launch(event[T]{read: res})
}

// runRead runs on a goroutine of its own. It opens the reader or reads, never both: the position of a
// new reader may have to be committed before the first read, which may take long.
func (l *loop[T]) runRead(res *readResult[T]) error {
	r := &l.reading
	if errors.Is(r.gapErr, ErrGone) {
		res.gone = true
		// Not with res.ctx, which ends when the shard is revoked: no later owner could report the gap.
		return l.reportGap(l.ctx, processor.Gap{Lost: r.next, Err: r.gapErr})
	}
	if res.open {
		return l.open(res)
	}
	if w, ok := r.reader.(Waiter); ok && res.atEnd {
		begin := time.Now()
		err := contain.Call("Reader.Wait", func() error { return w.Wait(res.ctx) })
		res.waited = time.Since(begin)
		if err != nil {
			return err
		}
	}
	var err error
	if res.share, err = l.o.Budget.acquire(res.ctx, l.o.BatchBytes, res.class); err != nil {
		return err
	}
	limit := Limit{Bytes: res.share.bytes, Items: l.o.BatchItems}
	defer func() { res.share.readDone(max(res.chunk.Bytes, 0)) }()
	err = l.call(res.ctx, "Reader.Read", func() (err error) {
		res.chunk, err = r.reader.Read(res.ctx, limit)
		return err
	})
	if err == nil && l.o.Key != nil && len(res.chunk.Items) > 0 {
		err = l.divideByKey(res)
	}
	return err
}

// onRead acts on the result of a read or of an opening.
func (l *loop[T]) onRead(now time.Time, res *readResult[T]) {
	r := &l.reading
	wanted := !r.discard
	r.running, r.discard, r.slowAt = false, false, time.Time{}
	switch {
	case wanted && res.opened:
		l.onOpened(res.start)
	case wanted && res.gone && res.err == nil:
		l.endGone()
	case !wanted || l.closing():
		l.releaseRead(res)
	case res.err != nil:
		l.releaseRead(res)
		l.readFailed(now, res.err)
	default:
		r.trouble, r.failing = res.chunk.Trouble, false
		r.failures.reset()
		r.throttle.reset()
		l.clearGap()
		l.acceptChunk(now, res)
	}
}

// acceptChunk adds a chunk to the window, and decides when to read next.
func (l *loop[T]) acceptChunk(now time.Time, res *readResult[T]) {
	r, c := &l.reading, &res.chunk
	got := len(c.Items) > 0
	moved := c.Next != "" && c.Next != r.next
	from := r.next
	r.lag = lagSample{at: now, lag: c.Lag, caughtUp: !c.More}
	if c.Next != "" {
		r.next = c.Next
	}
	if got {
		l.enqueue(from, res)
	} else {
		l.releaseRead(res)
		if moved || (c.End != 0 || c.Recommit) && r.next != "" { // an end is committed even in an empty shard
			l.window.push(newAcks(r.next, nil, 0))
		}
		if moved && from == "" && l.initial(r.afterGap) != Earliest() { // the reader knows only now where it began
			l.commits.atOnce = true
		}
	}
	l.progress.Reading = r.next
	more := c.More && (got || moved) // otherwise a source that always sets More would be read without a pause
	r.idle, r.atEnd = !got && !moved, !more
	r.notBefore = now.Add(max(l.pause(now, res, got || moved, more), c.Pause))
	switch c.End {
	case EndBound:
		l.noMoreReads = true
	case EndClosed:
		l.noMoreReads, l.endErr = true, processor.ErrShardClosed
	}
	// An end is committed even if the position has not moved. A service may start the children of a
	// shard only at a commit that finds the shard closed and read to its end. At the last commit, the
	// shard may still have been open.
	l.commits.recommit = l.commits.recommit || l.noMoreReads || c.Recommit
}

// pause returns how long to wait before the next read.
func (l *loop[T]) pause(now time.Time, res *readResult[T], found, more bool) time.Duration {
	r := &l.reading
	r.pacer.min = l.o.MinPause
	if res.chunk.Pause > 0 {
		r.pacer.min = res.chunk.Pause
	}
	pause := r.pacer.next(now, found, more, rand.Float64())
	if _, waits := r.reader.(Waiter); !waits {
		return pause
	}
	if found || !res.atEnd {
		return 0
	}
	return pause - res.waited
}

// releaseRead releases the memory of a read and its share of the budget.
func (l *loop[T]) releaseRead(res *readResult[T]) {
	res.share.release()
	l.releaseChunk(&res.chunk)
}

// releaseChunk calls Chunk.Release once.
func (l *loop[T]) releaseChunk(c *Chunk[T]) {
	if c.Release == nil {
		return
	}
	release := c.Release
	c.Release, c.Items = nil, nil
	err := l.call(l.ctx, "Chunk.Release", func() error { release(); return nil })
	if err != nil {
		l.log().Error("Chunk.Release failed; the shard goes on", zap.Error(err))
	}
}
