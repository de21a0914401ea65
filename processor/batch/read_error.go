package batch

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
)

// The pauses after a read that failed, and after a read that was throttled.
var (
	readBackoff     = processor.Backoff{Min: 200 * time.Millisecond, Max: 10 * time.Second}
	throttleBackoff = processor.Backoff{Min: time.Second, Max: 30 * time.Second}
)

// readFailed acts on the error of a read or of an opening.
func (l *loop[T]) readFailed(now time.Time, err error) {
	r := &l.reading
	r.trouble, r.failing = err, true
	var panicked *processor.PanicError
	isPanic := errors.As(err, &panicked)
	isGap := errors.Is(err, ErrGone) || errors.Is(err, ErrExpired) && r.gapErr == nil
	longest := time.Hour // pause
	switch {
	case haltOrFatal(err):
		l.noMoreReads, l.endErr = true, err
		return
	case isPanic || errors.Is(err, processor.ErrGoexit):
		r.reopen = true
	case !isGap:
	case l.noteGap(now, err) < confirmGapFor:
		longest = confirmGapFor - now.Sub(r.gapSince)
	case l.o.Expired == Initial{}:
		l.noMoreReads, l.endErr = true, processor.Halt(fmt.Errorf("shard %s at %q: %w", l.s.ID(), r.next, err))
		return
	default:
		r.gapErr = err
		r.failures.reset() // the pauses of the opening that follows begin anew
	}
	pause, backoff := r.failures.pause, readBackoff
	if errors.Is(err, ErrThrottled) {
		pause, backoff = r.throttle.pause, throttleBackoff
	}
	wait := max(min(pause(backoff), longest), retryAfter(err))
	r.notBefore = now.Add(wait)
	fields := []zap.Field{zap.Error(err), zap.Duration("retry", wait)}
	if isPanic {
		fields = append(fields, zap.ByteString("stack", panicked.Stack))
	}
	l.log().Warn("reading failed", fields...)
}

// retryAfter returns the pause that an error requests. Zero means that it requests none.
func retryAfter(err error) time.Duration {
	var r interface{ RetryAfter() time.Duration }
	if errors.As(err, &r) {
		return r.RetryAfter()
	}
	return 0
}
