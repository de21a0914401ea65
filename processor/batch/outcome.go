package batch

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
)

// onAttempt acts on the result of an attempt.
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
		l.chooseAction(a, false) // user code called runtime.Goexit
	}
	l.trouble = a.err
	if (l.draining || a.action == ActionSkip && l.closing()) && !haltOrFatal(a.err) {
		l.leaveToNextOwner(p) // the revocation may be the reason for the failure
		return
	}
	switch a.action {
	case ActionSkip:
		l.skip(p, a.failure)
	case ActionHalt:
		l.stop(processor.Halt(l.batchError(a.failure)))
		l.releaseLane(p)
	case ActionFatal:
		l.stop(processor.Fatal(l.batchError(a.failure)))
		l.releaseLane(p)
	default:
		l.retryOrDeadLetter(now, a)
	}
}

// onHandled counts a part that is acknowledged.
func (l *loop[T]) onHandled(a *attempt[T]) {
	p := a.part
	if p.deadLetter != nil {
		l.reportPoison(p, *p.deadLetter, true)
	}
	if a.err != nil {
		l.log().Warn("the handler failed after it had acknowledged or given up all its items; nothing is handled again", zap.Error(a.err))
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

// skip acknowledges a part that failed, and reports it as poison.
func (l *loop[T]) skip(p *part[T], f Failure) {
	l.reportPoison(p, f, false)
	p.ackAll()
	l.releaseLane(p)
}

func (l *loop[T]) reportPoison(p *part[T], f Failure, deadLettered bool) {
	l.s.ReportPoison(processor.Poison{
		From: f.From, Next: f.Next, Items: f.Items, Attempts: p.attempt, DeadLettered: deadLettered, Err: f.Err,
	})
}

// retryOrDeadLetter schedules the next attempt at a part, divides it, or moves it to the dead letters.
// If the loop is closing, it leaves the part to the next owner.
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

// leaveToNextOwner releases a part without acknowledging it. If DeadLetter has failed for the part,
// all dead letters of the slot are released: more calls would delay the drain.
func (l *loop[T]) leaveToNextOwner(p *part[T]) {
	parts := []*part[T]{p}
	if p.deadLetter != nil {
		parts = slices.Clone(p.slot.deadLetters)
	}
	for _, p := range parts {
		l.releaseLane(p)
	}
}

// batchError returns the error of a failure with the shard, the positions and the attempt.
func (l *loop[T]) batchError(f Failure) error {
	return fmt.Errorf("batch of shard %s from %q to %q, attempt %d: %w", f.Lease.ID, f.From, f.Next, f.Attempt, f.Err)
}

// pieces is the number of parts into which a failed part is divided. With four, one bad item is found
// about as fast as with two, and many bad items take fewer attempts.
const pieces = 4

// divide replaces a part by smaller ones. They have its items that are not acknowledged, in order.
func (l *loop[T]) divide(a *attempt[T]) {
	p, s := a.part, a.part.slot
	left := slices.DeleteFunc(slices.Clone(p.items()), func(i int32) bool { return p.acks.acked(int(i)) })
	if !p.divided {
		l.log().Warn("batch failed and has no attempts left; it is divided to find the bad items",
			zap.String("from", string(a.failure.From)), zap.Int("attempt", p.attempt), zap.Int("items", len(left)), zap.Error(a.err))
	}
	var parts []*part[T]
	for index := range slices.Chunk(left, (len(left)+pieces-1)/pieces) {
		parts = append(parts, &part[T]{
			chunk: p.chunk, acks: p.acks, index: index, slot: s,
			attemptState: attemptState{attempt: p.attempt, firstAt: p.firstAt, divided: true},
		})
	}
	l.progress.Items += int64(p.size() - len(left))
	p.chunk.parts += len(parts) - 1
	s.toHandle = append(parts, s.toHandle[1:]...)
}
