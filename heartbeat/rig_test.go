package heartbeat_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

const (
	interval   = 2 * time.Second
	tryTimeout = 600 * time.Millisecond
)

var errDown = errors.New("service is down")

// rig is a Loop between a service and a member that do what the test says. It writes
// down when heartbeats left, counted from its start.
type rig struct {
	*heartbeat.Loop
	start time.Time

	// The service: n counts heartbeats from one. Nil answers at once.
	call func(ctx context.Context, n int) error
	// The member. Nil carries on after success and tries again after a failure.
	verdict func(n int, err error) heartbeat.Verdict
	// Nil is a regular interval after the heartbeat left.
	next func(sent time.Time) time.Time
	// So many heartbeats are enough; zero is no limit.
	enough int

	mu    sync.Mutex
	beats []time.Duration
	errs  []error
	busy  int
}

// newRig returns a Loop that talks to the rig, or to a client around it.
func newRig(wrap func(*rig) heartbeat.Client) *rig {
	r := &rig{start: time.Now()}
	var c heartbeat.Client = client{r}
	if wrap != nil {
		c = wrap(r)
	}
	r.Loop = heartbeat.NewLoop(heartbeat.LoopConfig{
		Client: c, Member: member{r}, Name: "m", Interval: interval, TryTimeout: tryTimeout,
	})
	return r
}

// run runs the Loop for d and then ends its context; it has to return at once.
func (r *rig) run(t *testing.T, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	r.Run(ctx)
	if took := time.Since(r.start); took != d {
		t.Errorf("Run returned after %v, its context ended after %v", took, d)
	}
}

// at does something while the Loop runs.
func (r *rig) at(d time.Duration, do func()) { time.AfterFunc(d, do) }

// sent checks when heartbeats left.
func (r *rig) sent(t *testing.T, want ...time.Duration) {
	t.Helper()
	if got := r.times(); !slices.Equal(got, want) {
		t.Errorf("heartbeats left at %v, want %v", got, want)
	}
}

func (r *rig) times() []time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.beats)
}

// pauses returns the times from one heartbeat to the next.
func (r *rig) pauses() []time.Duration {
	var pauses []time.Duration
	times := r.times()
	for i := range len(times) - 1 {
		pauses = append(pauses, times[i+1]-times[i])
	}
	return pauses
}

type client struct{ r *rig }

func (c client) Info() heartbeat.Info { return heartbeat.Info{Group: "rig"} }

func (c client) Beat(ctx context.Context, q shardset.Heartbeat) (shardset.Answer, error) {
	c.r.mu.Lock()
	c.r.busy++
	if c.r.busy > 1 {
		panic("two heartbeats in flight")
	}
	c.r.mu.Unlock()
	defer func() {
		c.r.mu.Lock()
		defer c.r.mu.Unlock()
		c.r.busy--
	}()
	if c.r.call == nil {
		return shardset.Answer{}, nil
	}
	return shardset.Answer{Generation: q.Seq}, c.r.call(ctx, int(q.Seq))
}

type member struct{ r *rig }

func (m member) Request(now time.Time) (shardset.Heartbeat, bool) {
	m.r.mu.Lock()
	defer m.r.mu.Unlock()
	if m.r.enough > 0 && len(m.r.beats) == m.r.enough {
		return shardset.Heartbeat{}, false
	}
	m.r.beats = append(m.r.beats, now.Sub(m.r.start))
	return shardset.Heartbeat{Member: "m", Seq: uint64(len(m.r.beats))}, true
}

func (m member) Outcome(_ time.Time, q shardset.Heartbeat, _ shardset.Answer, err error) heartbeat.Verdict {
	m.r.mu.Lock()
	m.r.errs = append(m.r.errs, err)
	m.r.mu.Unlock()
	switch {
	case m.r.verdict != nil:
		return m.r.verdict(int(q.Seq), err)
	case err != nil:
		return heartbeat.VerdictRetry
	}
	return heartbeat.VerdictCarry
}

func (m member) NextBeat(time.Time) time.Time {
	times := m.r.times()
	sent := m.r.start.Add(times[len(times)-1])
	if m.r.next != nil {
		return m.r.next(sent)
	}
	return sent.Add(interval)
}

// takes is a service that answers after d, or when its caller gives up.
func takes(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
