package runner_test

import (
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

var seed = flag.Uint64("seed", 0, "run the one random script with this seed; 0: many new ones")

// Random runs: a processor that does anything, a store that fails and hangs, and a
// coordinator that extends, revokes, cancels and loses, against what must hold of
// every run. The rig adds that done comes once and last.
func TestScripts(t *testing.T) {
	if *seed != 0 {
		synctest.Test(t, func(t *testing.T) { runScript(t, *seed) })
		return
	}
	first := rand.Uint64()>>1 + 1
	var seen coverage
	for i := range uint64(1000) {
		synctest.Test(t, func(t *testing.T) { seen.add(runScript(t, first+i)) })
		if t.Failed() {
			t.Fatalf("replay: go test ./coordinator/internal/runner -run TestScripts -seed %d", first+i)
		}
	}
	t.Logf("seeds from %d: %+v", first, seen)
	if min(seen.saved, seen.refused, seen.restarts, seen.lost, seen.late, seen.halts) < 50 {
		t.Errorf("the scripts from seed %d made too little happen: %+v", first, seen)
	}
}

// coverage counts what happened, so that a script that does nothing cannot pass.
type coverage struct{ saved, refused, restarts, lost, late, halts int }

func (c *coverage) add(o coverage) {
	c.saved += o.saved
	c.refused += o.refused
	c.restarts += o.restarts
	c.lost += o.lost
	c.late += o.late
	c.halts += o.halts
}

// script is one random run. Each goroutine has its own generator, so that a seed repeats
// the whole script.
type script struct {
	*rig
	choices *rand.Rand   // what the processor does
	faults  *rand.Rand   // what the store does
	inside  atomic.Int32 // calls of Process
	halts   atomic.Int32 // told to the observer
	last    int          // number of the last position passed to Commit
	users   sync.WaitGroup

	mu      sync.Mutex
	passed  []processor.Position // to Commit, in the order of the calls
	ended   time.Time            // when the lease was taken away; zero: it was not
	refused int
	late    int // commits after Process returned
}

func runScript(t *testing.T, seed uint64) coverage {
	s := &script{choices: rand.New(rand.NewPCG(seed, 1)), faults: rand.New(rand.NewPCG(seed, 2))}
	s.rig = newRig(t, s.process)
	s.store.save = s.save
	s.store.load = func(ctx context.Context, _ processor.Owner) error { return s.answer(ctx) }
	s.term = runner.NewMemberLease(time.Now().Add(20 * time.Second))
	s.reports.Halted = func(shardset.Lease, error) { s.event("halted"); s.halts.Add(1) }
	s.start()
	s.coordinate(rand.New(rand.NewPCG(seed, 3)))
	outcome := s.finish()
	s.users.Wait()

	saved := s.store.positions()
	if !inOrder(saved, s.passed) {
		t.Errorf("saved %q, which is not in the order of the commits %q", saved, s.passed)
	}
	if outcome < shardset.OutcomeReleased || outcome > shardset.OutcomeFailed {
		t.Errorf("outcome %v", outcome)
	}
	c := coverage{saved: len(saved), refused: s.refused, restarts: s.run.Status().Restarts, late: s.late,
		halts: int(s.halts.Load())}
	if !s.term.Valid(time.Now()) {
		c.lost = 1
	}
	return c
}

// coordinate does to the run what a coordinator might, at random times.
func (s *script) coordinate(rnd *rand.Rand) {
	nap := func(most time.Duration) { time.Sleep(upTo(rnd, most)) }
	for range rnd.IntN(4) {
		nap(15 * time.Second)
		s.term.Extend(time.Now(), time.Now().Add(20*time.Second))
	}
	lose := func() {
		s.mu.Lock()
		s.ended = time.Now()
		s.mu.Unlock()
		s.run.Cancel(processor.ErrLeaseLost)
		s.term.End()
	}
	nap(25 * time.Second)
	switch rnd.IntN(4) {
	case 0: // evicted
		lose()
	case 1: // frozen: nobody tells
		time.Sleep(20 * time.Second)
		s.run.Revoke(processor.ErrRevoked)
	case 2: // evicted while draining
		s.run.Revoke(processor.ErrRevoked)
		nap(5 * time.Second)
		lose()
	case 3: // stopped, and the drain takes too long
		s.run.Revoke(processor.ErrShutdown)
		nap(5 * time.Second)
		s.run.Cancel(processor.ErrShutdown)
		nap(5 * time.Second)
		if rnd.IntN(2) == 0 {
			lose()
		}
	}
}

// save answers like a slow and faulty store that honours its context, and checks
// that what it stores is stored under a lease.
func (s *script) save(ctx context.Context, o processor.Owner, p processor.Position) error {
	if err := s.answer(ctx); err != nil {
		return err
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !now.Before(s.term.NotAfter()) {
		s.t.Errorf("position %s was saved %v after the end of the lease", p, now.Sub(s.term.NotAfter()))
	}
	if !s.ended.IsZero() && now.After(s.ended) {
		s.t.Errorf("position %s was saved %v after the lease was taken away", p, now.Sub(s.ended))
	}
	return nil
}

func (s *script) answer(ctx context.Context) error {
	// The odd nanosecond keeps answers off the instants at which leases end.
	delay := upTo(s.faults, 500*time.Millisecond) + 1
	switch n := s.faults.IntN(100); {
	case n < 10:
		return hang(ctx)
	case n < 20:
		return errFlaky
	case n < 21:
		return processor.ErrNotOwner
	case n < 60:
		delay = 0
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return slow(ctx, delay)
}

// upTo returns a time below most, in whole milliseconds.
func upTo(rnd *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(rnd.Int64N(int64(most/time.Millisecond))) * time.Millisecond
}

// inOrder reports whether saved is passed with some left out.
func inOrder(saved, passed []processor.Position) bool {
	for _, p := range saved {
		i := slices.Index(passed, p)
		if i < 0 {
			return false
		}
		passed = passed[i+1:]
	}
	return true
}
