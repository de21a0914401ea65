package heartbeat

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-go/rollcall/shardset"
)

// coalesce is how long a wake-up waits for others, so that sixteen shards that are
// released together make one heartbeat and not sixteen.
const coalesce = 2 * time.Millisecond

// Member is whose heartbeats a Loop sends. The Loop calls it from one goroutine, one
// method at a time; the methods return without waiting for anything slow.
type Member interface {
	// Request returns the heartbeat that leaves at now; false means that none is
	// needed any more, and ends the Loop.
	Request(now time.Time) (shardset.Heartbeat, bool)
	// Outcome takes the answer to r, or the error instead of one, and says how to
	// go on.
	Outcome(now time.Time, r shardset.Heartbeat, a shardset.Answer, err error) Verdict
	// NextBeat returns when the next heartbeat is due if nothing happens before;
	// zero means not at all.
	NextBeat(now time.Time) time.Time
}

// Verdict is how a Loop goes on after a heartbeat.
type Verdict uint8

const (
	// VerdictCarry: the heartbeat did its work; carry on.
	VerdictCarry Verdict = iota + 1
	// VerdictRetry: it did not; try again after a pause that grows.
	VerdictRetry
	// VerdictRejoin: it was refused and the member has to join again: at once, but
	// no more than once in an interval; otherwise after a growing pause.
	VerdictRejoin
	// VerdictStop: the Loop has to end.
	VerdictStop
)

func (v Verdict) String() string {
	switch v {
	case VerdictCarry:
		return "carry"
	case VerdictRetry:
		return "retry"
	case VerdictRejoin:
		return "rejoin"
	case VerdictStop:
		return "stop"
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// LoopConfig is what a Loop needs.
type LoopConfig struct {
	Client Client
	Member Member
	// Name is the member's name, for a Notifier.
	Name string
	// Interval and TryTimeout are what SetPace takes.
	Interval, TryTimeout time.Duration
}

// pace is how fast a Loop goes.
type pace struct{ interval, try time.Duration }

// Loop sends the heartbeats of one member: at once when poked or pushed, otherwise
// when the member says, and after a failure with growing, jittered pauses that never
// exceed the interval, so that several tries fit one lease. One heartbeat is in
// flight at a time. It runs no user code but the Client.
type Loop struct {
	cfg  LoopConfig
	poke chan struct{}
	pace atomic.Pointer[pace]
}

// NewLoop returns a Loop; it does nothing before Run.
func NewLoop(cfg LoopConfig) *Loop {
	l := &Loop{cfg: cfg, poke: make(chan struct{}, 1)}
	l.SetPace(cfg.Interval, cfg.TryTimeout)
	return l
}

// SetPace sets the regular time from one heartbeat to the next, which bounds the pause
// after a failure too, and the bound of one heartbeat, which should be well under it.
// It holds from the next heartbeat on. It may be called from any goroutine.
func (l *Loop) SetPace(interval, tryTimeout time.Duration) { l.pace.Store(&pace{interval, tryTimeout}) }

// Poke makes the Loop beat at once, within a few milliseconds. Pokes that come
// together make one heartbeat; one that comes while a heartbeat is in flight makes
// another after it. During the pause after a failure a poke waits for the pause to
// end. It never blocks and may be called from any goroutine.
func (l *Loop) Poke() {
	select {
	case l.poke <- struct{}{}:
	default:
	}
}

// Run beats until ctx ends or the member says Stop. It returns when everything it
// started has returned, which a Client that ignores its context can delay.
func (l *Loop) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var g errgroup.Group
	g.Go(func() error {
		defer cancel()
		l.beats(ctx)
		return nil
	})
	if n, ok := l.cfg.Client.(Notifier); ok {
		g.Go(func() error { l.watch(ctx, n); return nil })
	}
	_ = g.Wait() // both always return nil
}

func (l *Loop) beats(ctx context.Context) {
	p := l.pace.Load()
	pauses := p.pauses()
	var last Verdict
	var rejoined time.Time // the last time it did so at once
	next, poke := time.Now(), l.poke
	for l.wait(ctx, next, poke) {
		verdict, err := l.beat(ctx)
		if verdict == VerdictStop || ctx.Err() != nil {
			return
		}
		// One good answer after an eviction is no recovery yet: a service of two
		// halves that do not know each other gives just that, between evictions.
		if verdict == VerdictCarry && last != VerdictRejoin {
			pauses.Reset()
		}
		last = verdict
		if newest := l.pace.Load(); *newest != *p {
			p = newest
			pauses = p.pauses()
		}
		now := time.Now()
		if verdict == VerdictCarry {
			next, poke = l.cfg.Member.NextBeat(now), l.poke
			continue
		}
		next, poke = now, nil
		if verdict == VerdictRejoin && now.Sub(rejoined) >= p.interval {
			rejoined = now
			continue
		}
		next = now.Add(min(max(pauses.NextBackOff(), RetryAfter(err)), p.interval))
	}
}

// wait blocks until next, or until poked, and reports whether to beat then. Without
// a poke channel only the time counts; with a zero time only the poke.
func (l *Loop) wait(ctx context.Context, next time.Time, poke <-chan struct{}) bool {
	var due <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(time.Until(next))
		defer t.Stop()
		due = t.C
	}
	select {
	case <-due:
	case <-poke:
		t := time.NewTimer(coalesce)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// beat sends one heartbeat and passes its outcome on.
func (l *Loop) beat(ctx context.Context) (Verdict, error) {
	select {
	case <-l.poke: // this heartbeat says all that happened before it
	default:
	}
	r, ok := l.cfg.Member.Request(time.Now())
	if !ok {
		return VerdictStop, nil
	}
	try, cancel := context.WithTimeout(ctx, l.pace.Load().try)
	defer cancel()
	a, err := l.cfg.Client.Beat(try, r)
	return l.cfg.Member.Outcome(time.Now(), r, a, err), err
}

// watch turns the service's pushes into pokes, and watches anew when a watch breaks.
func (l *Loop) watch(ctx context.Context, n Notifier) {
	p := l.pace.Load() // good enough: a watch that broke costs no lease
	pauses := p.pauses()
	for ctx.Err() == nil {
		if wake, err := n.Watch(ctx, l.cfg.Name); err == nil {
			l.Poke() // what changed before the watch stood was told to nobody
			for range wake {
				pauses.Reset()
				l.Poke()
			}
		}
		t := time.NewTimer(min(pauses.NextBackOff(), p.interval))
		select {
		case <-t.C:
		case <-ctx.Done():
		}
		t.Stop()
	}
}

// pauses returns the schedule after failures: a tenth of the interval at first, the
// whole of it at last, random by half; so what it says has to be cut at the interval.
func (p *pace) pauses() *backoff.ExponentialBackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(max(p.interval/10, time.Millisecond)),
		backoff.WithMaxInterval(p.interval),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0),
	)
}
