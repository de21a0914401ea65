package heartbeat

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// saying is an error that says of itself whether it may pass.
type saying bool

func (s saying) Error() string   { return fmt.Sprintf("retryable: %v", bool(s)) }
func (s saying) Retryable() bool { return bool(s) }

func TestRetryable(t *testing.T) {
	for _, c := range []struct {
		err  error
		want bool
	}{
		{errors.New("connection reset"), true},
		{context.DeadlineExceeded, true},
		{context.Canceled, true},
		{fmt.Errorf("post: %w", context.DeadlineExceeded), true},
		{ErrEvicted, true},
		{ErrStaleHeartbeat, true},
		{shardset.ErrStaleAnswer, true},
		{errors.New("bad heartbeat answer: listed twice"), true},
		{ErrGroupNotFound, false},
		{fmt.Errorf("group %q: %w", "g", ErrGroupNotFound), false},
		{ErrUnauthorized, false},
		{fmt.Errorf("bad signature: %w", ErrUnauthorized), false},
		{ErrReplaced, false},
		{&shardset.ReplacedError{Member: "m", Newest: 2}, false},
		{saying(true), true},
		{saying(false), false},
		{fmt.Errorf("put: %w", saying(false)), false},
		{errors.Join(errors.New("first"), saying(false)), false},
		{errors.Join(saying(false), context.DeadlineExceeded), true}, // cut short, so it says nothing
		{fmt.Errorf("%w: %w", ErrUnauthorized, saying(true)), true},  // the client knows better
	} {
		if got := Retryable(c.err); got != c.want {
			t.Errorf("Retryable(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}

type waiting time.Duration

func (w waiting) Error() string             { return "wait" }
func (w waiting) RetryAfter() time.Duration { return time.Duration(w) }

func TestRetryAfterOfAnError(t *testing.T) {
	for _, c := range []struct {
		err  error
		want time.Duration
	}{
		{errors.New("no"), 0},
		{waiting(time.Second), time.Second},
		{fmt.Errorf("put: %w", waiting(time.Minute)), time.Minute},
		{waiting(-time.Second), 0},
	} {
		if got := RetryAfter(c.err); got != c.want {
			t.Errorf("RetryAfter(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}
