package batch

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
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

	reader    Reader[T]
	running   bool
	next      processor.Position // where the next read begins; empty: the source knows
	lostErr   error              // set: this error said that the shard is gone, or that at has expired, and is believed
	lostSince time.Time          // since when reads fail with ErrGone, or with ErrExpired; zero: they do not
	goneErr   error              // the last of these errors, if it is ErrGone; else nil
	gap       bool               // the reader was opened behind a gap: see initial
	reopen    bool               // the reader is to be opened anew
	unwanted  bool               // the fetch under way is not wanted any more
	yielded   []yieldedPart      // what was put back last; it comes again
	atEnd     bool               // there was nothing more to read
	idle      bool               // the last read found nothing
	failing   bool               // the last turn failed
	trouble   error              // why, or what the source fails to do beside the reading
	held      int64              // bytes of the budget
	lag       lagSample          // what the last read said
	slowAt    time.Time          // when the one under way takes long; zero: none is, or it may wait
	notBefore time.Time          // not before
	pacer     pacer
	failures  schedule
	throttle  schedule
}

// readResult is the result of one turn of reading.
type readResult[T any] struct {
	ctx    context.Context // ends when the turn is not wanted any more
	class  class
	atEnd  bool
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
	return !r.running && !l.ended && !l.closing() &&
		len(l.window.entries) < l.o.Concurrency+l.o.Prefetch &&
		(r.held == 0 || r.held+l.o.BatchBytes <= l.o.ShardBytes)
}

// startRead begins the next turn, if it is time for it.
func (l *loop[T]) startRead(now time.Time) {
	r := &l.reading
	if !l.mayRead() || now.Before(r.notBefore) {
		return
	}
	r.running = true
	if _, waits := r.reader.(Waiter); !waits || !r.atEnd {
		r.slowAt = now.Add(slowRead)
	}
	f := &readResult[T]{
		ctx: r.ctx, atEnd: r.atEnd,
		open: r.reader == nil || r.reopen || r.lostErr != nil, err: processor.ErrGoexit,
	}
	switch {
	case r.failing:
		f.class = classFailing
	case r.idle:
		f.class = classIdle
	}
	l.launch(event[T]{read: f}, func() { f.err = l.runRead(f) })
}

// runRead is one turn of reading. It runs on a goroutine of its own. Opening is a turn of
// its own: where it began may have to be committed, however long the first read takes.
func (l *loop[T]) runRead(f *readResult[T]) error {
	r := &l.reading
	if errors.Is(r.lostErr, ErrGone) {
		f.gone = true
		return l.reportGap(l.ctx, processor.Gap{Lost: r.next, Err: r.lostErr}) // also if the shard has to go: nobody comes after this owner
	}
	if f.open {
		return l.open(f)
	}
	if w, ok := r.reader.(Waiter); ok && f.atEnd {
		begin := time.Now()
		err := contain.Call("Reader.Wait", func() error { return w.Wait(f.ctx) })
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
	defer func() { f.share.readDone(max(f.chunk.Bytes, 0)) }()
	err = l.contain(f.ctx, "Reader.Read", func() (err error) {
		f.chunk, err = r.reader.Read(f.ctx, limit)
		return err
	})
	if err == nil && l.o.Key != nil && len(f.chunk.Items) > 0 {
		err = l.divideByKey(f)
	}
	return err
}

// onRead deals with a turn of reading that is over.
func (l *loop[T]) onRead(now time.Time, f *readResult[T]) {
	r := &l.reading
	r.running, r.slowAt = false, time.Time{}
	wanted := !r.unwanted
	r.unwanted = false
	if wanted && f.opened {
		l.onOpened(f.start)
		return
	}
	if wanted && f.gone && f.err == nil {
		l.endGone()
		return
	}
	if !wanted || l.closing() {
		l.releaseRead(f)
		return
	}
	if f.err != nil {
		l.releaseRead(f)
		l.readFailed(now, f.err)
		return
	}
	r.trouble, r.failing = f.chunk.Trouble, false
	r.failures.reset()
	r.throttle.reset()
	l.clearLoss()
	l.acceptChunk(now, f)
}

// take takes what was read.
func (l *loop[T]) acceptChunk(now time.Time, f *readResult[T]) {
	r, c := &l.reading, &f.chunk
	got := len(c.Items) > 0
	moved := c.Next != "" && c.Next != r.next
	from := r.next
	r.lag = lagSample{at: now, lag: c.Lag, caughtUp: !c.More}
	if c.Next != "" {
		r.next = c.Next
	}
	switch {
	case got:
		l.enqueue(from, f)
	default:
		l.releaseRead(f)
		if moved || (c.End != 0 || c.Recommit) && r.next != "" { // even if nothing was ever there
			l.window.push(newAcks(r.next, nil, 0))
		}
		if moved && from == "" && l.initial(r.gap) != Earliest() { // only now it is known where it began
			l.commits.atOnce = true
		}
	}
	l.progress.Reading = r.next
	more := c.More && (got || moved) // a source that only says so is not believed
	r.idle, r.atEnd = !got && !moved, !more
	r.pacer.min = l.o.MinPause
	if c.Pause > 0 {
		r.pacer.min = c.Pause
	}
	pause := r.pacer.next(now, got || moved, more, rand.Float64())
	if _, waits := r.reader.(Waiter); waits {
		pause -= f.waited
		if got || moved || !f.atEnd {
			pause = 0
		}
	}
	r.notBefore = now.Add(max(pause, c.Pause))
	switch c.End {
	case EndBound:
		l.ended = true
	case EndClosed:
		l.ended, l.end = true, processor.ErrShardClosed
	}
	// An end is committed even if nothing has moved: a service that lets children wait looks at
	// the commits of their parents, and may have looked at the last one before the parent was
	// closed.
	l.commits.recommit = l.commits.recommit || l.ended || c.Recommit
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
		r.reopen = true
	case !errors.Is(err, ErrGone) && (!errors.Is(err, ErrExpired) || r.lostErr != nil):
	case l.mayComeBack(now, err):
		longest = confirmLossFor - now.Sub(r.lostSince)
	case l.o.Expired == Initial{}:
		l.ended, l.end = true, processor.Halt(fmt.Errorf("shard %s at %q: %w", l.s.ID(), r.next, err))
		return
	default:
		r.lostErr = err
		r.failures.reset() // what comes next has not failed yet
	}
	pause := r.failures.pause
	b := readBackoff
	if errors.Is(err, ErrThrottled) {
		pause, b = r.throttle.pause, throttleBackoff
	}
	wait := max(min(pause(b), longest), retryAfter(err))
	r.notBefore = now.Add(wait)
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
func (l *loop[T]) releaseRead(f *readResult[T]) {
	f.share.releaseAll()
	l.releaseChunk(&f.chunk)
}

// release tells the source that its items are done with.
func (l *loop[T]) releaseChunk(c *Chunk[T]) {
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
