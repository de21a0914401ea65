package batch

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
)

// attempt is one call of the handler, or of DeadLetter, for a part.
type attempt[T any] struct {
	part    *part[T]
	batch   *Batch[T]
	givenUp []*part[T] // the items passed to GiveUp, which were removed from the part
	err     error

	decided bool // the part failed, and the fields below are set
	action  Action
	failure Failure
	divide  bool          // divide the part before DeadLetter gets any of it
	pause   time.Duration // before the next attempt
}

// startAttempts starts the attempts that are due.
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
	for _, s := range l.slots {
		if p := s.duePart(now, l.closing()); p != nil {
			l.startAttempt(now, p)
		}
	}
}

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
	l.launch(event[T]{attempt: &attempt[T]{part: p, err: processor.ErrGoexit}})
}

// runAttempt runs on a goroutine of its own.
func (l *loop[T]) runAttempt(a *attempt[T]) {
	p := a.part
	a.batch = p.batch(l.s, &l.ackSignal)
	defer a.close()
	if a.err = l.s.Check(); a.err != nil {
		return // the lease has ended, and the context ends soon
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

// callHandler calls the handler, or DeadLetter. If the context has ended, a nil result does not
// acknowledge the batch: a handler that stops early often returns nil.
func (l *loop[T]) callHandler(p *part[T], b *Batch[T]) error {
	ctx := l.ctx
	if l.o.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.o.Timeout)
		defer cancel()
	}
	where := "Handle"
	if p.deadLetter != nil {
		where = "DeadLetter"
	}
	b.activity = l.s.Begin(ctx, where)
	defer b.activity.End()
	err := contain.Call(where, func() error {
		if p.deadLetter != nil {
			return l.o.DeadLetter(ctx, b, *p.deadLetter)
		}
		return l.fn(ctx, b)
	})
	if err == nil && ctx.Err() != nil && !b.isAckCalled() {
		return context.Cause(ctx)
	}
	return err
}

// cancelled reports whether the attempt ended because Process has to return, or because the loop over
// Range has ended. The batch has not failed then.
func (l *loop[T]) cancelled(err error) bool {
	return l.ctx.Err() != nil || errors.Is(err, errLoopEnded)
}

// chooseAction decides what to do about a failed attempt. If ask is true, it calls OnError.
func (l *loop[T]) chooseAction(a *attempt[T], ask bool) {
	p := a.part
	a.pause = p.pauses.pause(l.o.Retry)
	a.failure = a.failureOf(p.left(), a.err)
	a.failure.Exhausted = p.divided && len(a.batch.Items) > 1 ||
		exhausted(p.attempt-p.attemptsBefore, l.o.Attempts, time.Since(p.boundsSince), a.pause, l.o.Elapsed)
	if p.deadLetter != nil {
		a.action, a.decided = ActionDeadLetter, true // again, until DeadLetter returns nil
		if own, ok := actionOf(a.err); ok {
			a.action = own
		}
		return
	}
	var chosen Action
	if ask && l.o.OnError != nil && !haltOrFatal(a.err) {
		err := l.call(l.ctx, "OnError", func() error { chosen = l.o.OnError(l.ctx, a.failure); return nil })
		if err != nil {
			l.log().Error("Options.OnError failed; the batch is tried again as with ActionRetry", zap.Error(err))
		}
	}
	a.action, a.decided = decide(a.failure, chosen, l.o.DeadLetter != nil), true
	a.divide = a.action == ActionDeadLetter && chosen != ActionDeadLetter && len(a.batch.Items) > 1
}

// failureOf returns the Failure of an attempt, with this number of items and this error.
func (a *attempt[T]) failureOf(items int, err error) Failure {
	p, b := a.part, a.batch
	return Failure{
		Lease: b.Lease(), From: b.From, Next: b.Next, Items: items,
		Attempt: p.attempt, Elapsed: time.Since(p.firstAt), Err: err,
	}
}
