package shardset

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"
	"unsafe"
)

// wallAhead returns t with its wall clock moved by d and its monotonic reading left
// alone: what a suspended or freshly set machine reads. No method of time.Time
// separates the two, so this reaches inside, and checks what it made.
func wallAhead(t *testing.T, now time.Time, d time.Duration) time.Time {
	t.Helper()
	moved := now.Add(d)
	ext := reflect.ValueOf(&moved).Elem().FieldByName("ext")
	if !ext.IsValid() || ext.Kind() != reflect.Int64 {
		t.Skip("this Go keeps the monotonic reading elsewhere")
	}
	*(*int64)(unsafe.Pointer(ext.UnsafeAddr())) -= int64(d)
	if mono, wall := moved.Sub(now), moved.Round(0).Sub(now.Round(0)); mono != 0 || wall != d {
		t.Skipf("moving the wall clock by %v moved the monotonic reading by %v and the wall by %v", d, mono, wall)
	}
	return moved
}

func TestLeaseValid(t *testing.T) {
	start := time.Now()
	l := Lease{ID: ID{"orders", 1}, Epoch: 1, NotAfter: start.Add(10 * time.Second)}
	for _, c := range []struct {
		after time.Duration // passed on the monotonic clock
		wall  time.Duration // set forward or back meanwhile; a suspend is a jump forward
		want  bool
	}{
		{after: 0, want: true},
		{after: 10*time.Second - 1, want: true},
		{after: 10 * time.Second, want: false},
		{after: 11 * time.Second, want: false},
		// Forward, or suspended: the wall clock alone knows that the lease is over.
		{after: time.Second, wall: 8 * time.Second, want: true},
		{after: time.Second, wall: 9 * time.Second, want: false},
		{after: time.Second, wall: time.Hour, want: false},
		{after: time.Second, wall: 365 * 24 * time.Hour, want: false},
		// Backward: nothing is won, nothing is lost.
		{after: 9 * time.Second, wall: -time.Hour, want: true},
		{after: 10 * time.Second, wall: -time.Hour, want: false},
		{after: 10 * time.Second, wall: -365 * 24 * time.Hour, want: false},
	} {
		now := wallAhead(t, start.Add(c.after), c.wall)
		if got := l.Valid(now); got != c.want {
			t.Errorf("10s lease after %v with the wall clock moved by %v: Valid = %v, want %v", c.after, c.wall, got, c.want)
		}
	}
}

// Where either side has no monotonic reading, the wall clocks decide.
func TestLeaseValidByTheWallAlone(t *testing.T) {
	start := time.Now()
	for _, c := range []struct {
		name          string
		notAfter, now time.Time
		want          bool
	}{
		{"both bare, before", start.Round(0).Add(1), start.Round(0), true},
		{"both bare, at the end", start.Round(0), start.Round(0), false},
		{"bare now, before", start.Add(1), start.Round(0), true},
		{"bare now, at the end", start, start.Round(0), false},
		{"bare end, before", start.Round(0).Add(1), start, true},
		{"bare end, at the end", start.Round(0), start, false},
		{"no lease at all", time.Time{}, start, false},
	} {
		l := Lease{NotAfter: c.notAfter}
		if got := l.Valid(c.now); got != c.want {
			t.Errorf("%s: a lease until %v is valid at %v: %v, want %v", c.name, c.notAfter, c.now, got, c.want)
		}
	}
}

func TestMargin(t *testing.T) {
	for _, c := range []struct{ ttl, want time.Duration }{
		{0, 0},
		{time.Second, 110 * time.Millisecond},
		{6 * time.Second, 660 * time.Millisecond},
		{10 * time.Second, 1100 * time.Millisecond},
		{50 * time.Second, 5500 * time.Millisecond},
		{60 * time.Second, 5600 * time.Millisecond},
		{10 * time.Minute, 11 * time.Second},
	} {
		if got := Margin(c.ttl); got != c.want {
			t.Errorf("Margin(%v) = %v, want %v", c.ttl, got, c.want)
		}
	}
}

func TestErrorTexts(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{badAnswer("shard %s is listed twice", ID{"a", 1}), "bad heartbeat answer: shard a/1 is listed twice"},
		{&IntervalError{Interval: 5 * time.Second, TTL: 9 * time.Second},
			"the heartbeat interval 5s is too long for the group's TTL 9s: at least 3 heartbeats must fit, so use 3s or less"},
		{&ReplacedError{Member: "m1", Newest: 9}, ErrReplaced.Error()},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%#v reads %q, want %q", c.err, got, c.want)
		}
	}
	wrapped := fmt.Errorf("beat: %w", &ReplacedError{Member: "m1"})
	if !errors.Is(wrapped, ErrReplaced) || errors.Is(wrapped, ErrEvicted) {
		t.Errorf("%v: Is(ErrReplaced) = %v, Is(ErrEvicted) = %v, want true and false",
			wrapped, errors.Is(wrapped, ErrReplaced), errors.Is(wrapped, ErrEvicted))
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		value fmt.Stringer
		want  string
	}{
		{CauseRevoked, "revoked"}, {CauseLost, "lost"}, {CauseShutdown, "shutdown"}, {Cause(0), "Cause(0)"},
		{StateHeld, "held"}, {StateDraining, "draining"}, {StateCancelled, "cancelled"},
		{StateRestarting, "restarting"}, {StateComplete, "complete"}, {State(9), "State(9)"},
		{OutcomeReleased, "released"}, {OutcomeLost, "lost"}, {OutcomeComplete, "complete"}, {OutcomeClosed, "closed"},
		{OutcomeFenced, "fenced"}, {OutcomeFailed, "failed"}, {Outcome(0), "Outcome(0)"},
	} {
		if got := c.value.String(); got != c.want {
			t.Errorf("%#v prints %q, want %q", c.value, got, c.want)
		}
	}
}
