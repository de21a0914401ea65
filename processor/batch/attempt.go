package batch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
)

// startWork begins the attempts that can begin.
func (l *loop[T]) startAttempts(now time.Time) {
	if l.ctxEnded {
		return
	}
	for i := range l.lanes {
		lane := &l.lanes[i]
		for !l.closing() && lane.free > 0 && len(lane.queue) > 0 {
			l.takeSlot(i, l.nextPart(lane))
		}
	}
	for _, pl := range l.slots {
		if p := pl.duePart(now, l.closing()); p != nil {
			l.startAttempt(now, p)
		}
	}
}

// attempt is one call of the handler, or of DeadLetter.
type attempt[T any] struct {
	part    *part[T]
	batch   *Batch[T]
	givenUp []*part[T] // the items that the handler gave up, which are not the part's any more
	err     error
	decided bool // the fields below are set
	action  Action
	failure Failure
	divide  bool // nobody gave the whole batch up: its parts are tried first
	pause   time.Duration
}

// start begins an attempt.
func (l *loop[T]) startAttempt(now time.Time, p *part[T]) {
	if p.deadLetter == nil && p.attempt > 0 || p.pauses.begun() {
		l.progress.Retries++
	}
	if p.firstAt.IsZero() {
		p.firstAt = now
	}
	if p.boundsSince.IsZero() {
		p.boundsSince, p.attemptsBefore = now, p.attempt
	}
	if p.deadLetter == nil {
		p.attempt++
	}
	p.slot.busy = true
	a := &attempt[T]{part: p, err: processor.ErrGoexit}
	l.launch(event[T]{attempt: a}, func() { l.runAttempt(a) })
}

// try is an attempt. It runs on a goroutine of its own.
func (l *loop[T]) runAttempt(a *attempt[T]) {
	p := a.part
	a.batch = p.batch(l.s, &l.ackSignal)
	defer a.close()
	if a.err = l.s.Check(); a.err != nil {
		return // the lease is over: the context ends too, or has already
	}
	a.err = processor.ErrGoexit
	a.err = l.callHandler(p, a.batch)
	a.close()
	if a.err == nil {
		p.ackAll()
		return
	}
	if !p.done() && !l.cancelled(a.err) {
		l.chooseAction(a, true)
	}
}

// call calls the handler, or DeadLetter. A nil result after the context has ended is
// not believed: a handler that gives up early often returns nil.
func (l *loop[T]) callHandler(p *part[T], b *Batch[T]) error {
	ctx := l.ctx
	if l.o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.o.Timeout)
		defer cancel()
	}
	where, f := "Handle", func() error { return l.fn(ctx, b) }
	if p.deadLetter != nil {
		where, f = "DeadLetter", func() error { return l.o.DeadLetter(ctx, b, *p.deadLetter) }
	}
	b.activity = l.s.Begin(ctx, where)
	defer b.activity.End()
	err := contain.Call(where, f)
	if err == nil && ctx.Err() != nil && !b.isAckCalled() {
		return context.Cause(ctx)
	}
	return err
}

// cancelled reports whether an attempt that ended with err was called off, which is no
// failure.
func (l *loop[T]) cancelled(err error) bool {
	return l.ctx.Err() != nil || errors.Is(err, errLoopEnded)
}

// chooseAction decides what is done about a failed attempt. With ask, OnError has a say.
func (l *loop[T]) chooseAction(a *attempt[T], ask bool) {
	p := a.part
	a.pause = p.pauses.pause(l.o.Retry)
	a.failure = a.failureOf(p.left(), a.err)
	a.failure.Exhausted = p.divided && len(a.batch.Items) > 1 ||
		exhausted(p.attempt-p.attemptsBefore, l.o.Attempts, time.Since(p.boundsSince), a.pause, l.o.Elapsed)
	if p.deadLetter != nil {
		a.action, a.decided = ActionDeadLetter, true // until DeadLetter takes it
		if own, ok := ownAction(a.err); ok {
			a.action = own
		}
		return
	}
	var said Action
	if ask && l.o.OnError != nil && !marked(a.err) {
		err := l.contain(l.ctx, "OnError", func() error { said = l.o.OnError(l.ctx, a.failure); return nil })
		if err != nil {
			l.log().Error("OnError failed", zap.Error(err))
		}
	}
	a.action, a.decided = decide(a.failure, said, l.o.DeadLetter != nil), true
	a.divide = a.action == ActionDeadLetter && said != ActionDeadLetter && len(a.batch.Items) > 1
}

// failed describes items of the attempt that failed with err.
func (a *attempt[T]) failureOf(items int, err error) Failure {
	p, b := a.part, a.batch
	return Failure{
		Lease: b.Lease(), From: b.From, Next: b.Next, Items: items,
		Attempt: p.attempt, Elapsed: time.Since(p.firstAt), Err: err,
	}
}

// onAttempt deals with an attempt that is over.
func (l *loop[T]) onAttempt(now time.Time, a *attempt[T]) {
	p := a.part
	p.slot.busy = false
	if l.ctx.Err() == nil {
		l.takeGivenUp(a)
	}
	switch {
	case p.done():
		l.onHandled(a)
		return
	case l.cancelled(a.err):
		l.releaseLane(p)
		return
	case !a.decided:
		l.chooseAction(a, false) // it ended its goroutine
	}
	l.trouble = a.err
	if (l.leaving || a.action == ActionSkip && l.closing()) && !marked(a.err) {
		l.leaveToNextOwner(p) // the failure may come from that: the next owner will see
		return
	}
	switch a.action {
	case ActionSkip:
		l.skip(p, a.failure)
	case ActionHalt:
		l.stop(processor.Halt(l.named(a.failure)))
		l.releaseLane(p)
	case ActionFatal:
		l.stop(processor.Fatal(l.named(a.failure)))
		l.releaseLane(p)
	default:
		l.retryOrDeadLetter(now, a)
	}
}

// named says which batch a failure is about.
func (l *loop[T]) named(f Failure) error {
	return fmt.Errorf("batch of shard %s from %q to %q, attempt %d: %w", f.Lease.ID, f.From, f.Next, f.Attempt, f.Err)
}

// retryOrDeadLetter tries a batch again after a pause, or turns it over to the dead letters. If
// the shard has to go, the next owner does.
func (l *loop[T]) retryOrDeadLetter(now time.Time, a *attempt[T]) {
	p := a.part
	switch {
	case l.closing():
		l.leaveToNextOwner(p)
		return
	case a.divide:
		l.divide(a)
		return
	case a.action == ActionDeadLetter && p.deadLetter == nil:
		p.deadLetter = &a.failure
		p.pauses.reset()
		p.slot.moveToDeadLetters(p)
		return
	}
	p.retryAt = now.Add(a.pause)
	fields := []zap.Field{
		zap.String("from", string(a.failure.From)), zap.Int("attempt", p.attempt), zap.Int("items", a.failure.Items),
		zap.Error(a.err), zap.Duration("retry", a.pause), zap.Bool("dead-letter", p.deadLetter != nil),
	}
	var panicked *processor.PanicError
	if errors.As(a.err, &panicked) {
		fields = append(fields, zap.ByteString("stack", panicked.Stack))
	}
	l.log().Warn("batch failed", fields...)
}

// handled notes a part that is acknowledged.
func (l *loop[T]) onHandled(a *attempt[T]) {
	p := a.part
	if p.deadLetter != nil {
		l.reportPoison(p, *p.deadLetter, true)
	}
	if a.err != nil {
		l.log().Warn("handler failed after it had acknowledged or given up its whole batch", zap.Error(a.err))
	}
	l.progress.Batches++
	l.progress.Items += int64(p.size())
	if p.chunk.parts == 1 {
		l.progress.Bytes += p.chunk.Bytes
	}
	if l.releaseLane(p); !l.waitsForRetry() {
		l.trouble = nil
	}
}

// giveUp skips a part.
func (l *loop[T]) skip(p *part[T], f Failure) {
	l.reportPoison(p, f, false)
	p.ackAll()
	l.releaseLane(p)
}

// poisoned has a part counted that was given up.
func (l *loop[T]) reportPoison(p *part[T], f Failure, deadLettered bool) {
	l.s.ReportPoison(processor.Poison{
		From: f.From, Next: f.Next, Items: f.Items, Attempts: p.attempt, DeadLettered: deadLettered, Err: f.Err,
	})
}

// releaseLane is done with a part, acknowledged or not, and frees its place in its lane if
// that has no other.
func (l *loop[T]) releaseLane(p *part[T]) {
	l.leaveSlot(p)
	if p.chunk.parts == 1 {
		p.acks.fixPosition() // before the source takes back what After may look at
	}
	l.releasePart(p)
}

// finish gives back what a part holds; with the last part of a chunk, the chunk.
func (l *loop[T]) releasePart(p *part[T]) {
	c := p.chunk
	if c.parts--; c.parts > 0 {
		return
	}
	l.reading.held -= c.share.bytes
	c.share.releaseAll()
	l.releaseChunk(&c.Chunk)
}
