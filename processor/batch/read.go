package batch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
)

// Pauses after a read that failed, and after one that was throttled.
var (
	readBackoff     = processor.Backoff{Min: 200 * time.Millisecond, Max: 10 * time.Second}
	throttleBackoff = processor.Backoff{Min: time.Second, Max: 30 * time.Second}
)

// reading is how far the reading of a shard is. While a fetch is under way, reader is
// its own; everything else is the loop's.
type reading[T any] struct {
	ctx  context.Context // ends when the shard has to go
	stop context.CancelFunc

	reader   Reader[T]
	fetching bool
	at       processor.Position // where the next read begins; empty: the source knows
	lost     error              // set: this error said that the shard is gone, or that at has expired, and is believed
	lostAt   time.Time          // since when reads fail with ErrGone, or with ErrExpired; zero: they do not
	goneErr  error              // the last of these errors, if it is ErrGone; else nil
	gap      bool               // the reader was opened behind a gap: see initial
	stale    bool               // the reader is to be opened anew
	void     bool               // the fetch under way is not wanted any more
	again    []retry            // what was put back last; it comes again
	await    bool               // there was nothing more to read
	idle     bool               // the last read found nothing
	failing  bool               // the last turn failed
	trouble  error              // why, or what the source fails to do beside the reading
	held     int64              // bytes of the budget
	seen     seen               // what the last read said
	slowAt   time.Time          // when the one under way takes long; zero: none is, or it may wait
	nextAt   time.Time          // not before
	pacer    pacer
	failures schedule
	throttle schedule
}

// fetched is the result of one turn of reading.
type fetched[T any] struct {
	ctx    context.Context // ends when the turn is not wanted any more
	class  class
	await  bool
	open   bool // the reader is to be opened first
	opened bool // it was
	gone   bool // there is no shard to open
	start  processor.Position
	chunk  Chunk[T]
	share  share
	keys   [][]int32     // the items of each lane, if the options divide them
	waited time.Duration // in Wait
	err    error
}

// mayRead reports whether there is room for another batch.
func (l *loop[T]) mayRead() bool {
	r := &l.reading
	return !r.fetching && !l.ended && !l.closing() &&
		len(l.window.entries) < l.o.Concurrency+l.o.Prefetch &&
		(r.held == 0 || r.held+l.o.BatchBytes <= l.o.ShardBytes)
}

// startRead begins the next turn, if it is time for it.
func (l *loop[T]) startRead(now time.Time) {
	r := &l.reading
	if !l.mayRead() || now.Before(r.nextAt) {
		return
	}
	r.fetching = true
	if _, waits := r.reader.(Waiter); !waits || !r.await {
		r.slowAt = now.Add(slowRead)
	}
	f := &fetched[T]{
		ctx: r.ctx, await: r.await,
		open: r.reader == nil || r.stale || r.lost != nil, err: processor.ErrGoexit,
	}
	switch {
	case r.failing:
		f.class = classFailing
	case r.idle:
		f.class = classIdle
	}
	l.launch(event[T]{fetched: f}, func() { f.err = l.fetch(f) })
}

// fetch is one turn of reading. It runs on a goroutine of its own. Opening is a turn of
// its own: where it began may have to be committed, however long the first read takes.
func (l *loop[T]) fetch(f *fetched[T]) error {
	r := &l.reading
	if errors.Is(r.lost, ErrGone) {
		f.gone = true
		return l.gap(l.ctx, processor.Gap{Lost: r.at, Err: r.lost}) // also if the shard has to go: nobody comes after this owner
	}
	if f.open {
		return l.open(f)
	}
	if w, ok := r.reader.(Waiter); ok && f.await {
		begin := time.Now()
		err := processor.Contain("Reader.Wait", func() error { return w.Wait(f.ctx) })
		f.waited = time.Since(begin)
		if err != nil {
			return err
		}
	}
	var err error
	if f.share, err = l.o.Budget.acquire(f.ctx, l.o.BatchBytes, f.class); err != nil {
		return err
	}
	limit := Limit{Bytes: f.share.bytes, Items: l.o.BatchItems}
	defer func() { f.share.read(max(f.chunk.Bytes, 0)) }()
	err = l.contain(f.ctx, "Reader.Read", func() (err error) {
		f.chunk, err = r.reader.Read(f.ctx, limit)
		return err
	})
	if err == nil && l.o.Key != nil && len(f.chunk.Items) > 0 {
		err = l.divideByKey(f)
	}
	return err
}

// fetched deals with a turn of reading that is over.
func (l *loop[T]) fetched(now time.Time, f *fetched[T]) {
	r := &l.reading
	r.fetching, r.slowAt = false, time.Time{}
	wanted := !r.void
	r.void = false
	if wanted && f.opened {
		l.begin(f.start)
		return
	}
	if wanted && f.gone && f.err == nil {
		l.vanished()
		return
	}
	if !wanted || l.closing() {
		l.discard(f)
		return
	}
	if f.err != nil {
		l.discard(f)
		l.readFailed(now, f.err)
		return
	}
	r.trouble, r.failing = f.chunk.Trouble, false
	r.failures.reset()
	r.throttle.reset()
	l.found()
	l.take(now, f)
}

// take takes what was read.
func (l *loop[T]) take(now time.Time, f *fetched[T]) {
	r, c := &l.reading, &f.chunk
	got := len(c.Items) > 0
	moved := c.Next != "" && c.Next != r.at
	from := r.at
	r.seen = seen{at: now, lag: c.Lag, caughtUp: !c.More}
	if c.Next != "" {
		r.at = c.Next
	}
	switch {
	case got:
		l.enqueue(from, f)
	default:
		l.discard(f)
		if moved || (c.End != 0 || c.Recommit) && r.at != "" { // even if nothing was ever there
			l.window.push(newMarks(r.at, nil, 0))
		}
		if moved && from == "" && !l.initial(r.gap).IsEarliest() { // only now it is known where it began
			l.commits.urgent = true
		}
	}
	l.progress.Reading = r.at
	more := c.More && (got || moved) // a source that only says so is not believed
	r.idle, r.await = !got && !moved, !more
	r.pacer.min = l.o.MinPause
	if c.Pause > 0 {
		r.pacer.min = c.Pause
	}
	pause := r.pacer.next(now, got || moved, more, rand.Float64())
	if _, waits := r.reader.(Waiter); waits {
		pause -= f.waited
		if got || moved || !f.await {
			pause = 0
		}
	}
	r.nextAt = now.Add(max(pause, c.Pause))
	switch c.End {
	case EndBound:
		l.ended = true
	case EndClosed:
		l.ended, l.end = true, processor.ErrShardEnded
	}
	// An end is committed even if nothing has moved: a service that lets children wait looks at
	// the commits of their parents, and may have looked at the last one before the parent was
	// closed.
	l.commits.force = l.commits.force || l.ended || c.Recommit
}

// readFailed deals with a turn of reading that brought nothing.
func (l *loop[T]) readFailed(now time.Time, err error) {
	r := &l.reading
	r.trouble, r.failing = err, true
	var panicked *processor.PanicError
	isPanic := errors.As(err, &panicked)
	longest := time.Hour // of the pause
	switch {
	case marked(err):
		l.ended, l.end = true, err
		return
	case isPanic || errors.Is(err, processor.ErrGoexit):
		r.stale = true
	case !errors.Is(err, ErrGone) && (!errors.Is(err, ErrExpired) || r.lost != nil):
	case l.mayComeBack(now, err):
		longest = lostFor - now.Sub(r.lostAt)
	case l.o.Expired.IsZero():
		l.ended, l.end = true, processor.Halt(fmt.Errorf("shard %s at %q: %w", l.s.ID(), r.at, err))
		return
	default:
		r.lost = err
		r.failures.reset() // what comes next has not failed yet
	}
	pause := r.failures.pause
	b := readBackoff
	if errors.Is(err, ErrThrottled) {
		pause, b = r.throttle.pause, throttleBackoff
	}
	wait := max(min(pause(b), longest), retryAfter(err))
	r.nextAt = now.Add(wait)
	fields := []zap.Field{zap.Error(err), zap.Duration("retry", wait)}
	if isPanic {
		fields = append(fields, zap.ByteString("stack", panicked.Stack))
	}
	l.log().Warn("reading failed", fields...)
}

// retryAfter returns the pause that an error asks for.
func retryAfter(err error) time.Duration {
	var r interface{ RetryAfter() time.Duration }
	if errors.As(err, &r) {
		return r.RetryAfter()
	}
	return 0
}

// discard gives back what a turn of reading took.
func (l *loop[T]) discard(f *fetched[T]) {
	f.share.release()
	l.release(&f.chunk)
}

// release tells the source that its items are done with.
func (l *loop[T]) release(c *Chunk[T]) {
	if c.Release == nil {
		return
	}
	release := c.Release
	c.Release, c.Items = nil, nil
	err := l.contain(l.ctx, "Chunk.Release", func() error { release(); return nil })
	if err != nil {
		l.log().Error("releasing a batch failed", zap.Error(err))
	}
}
