package shardset

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

const paceInterval = 2 * time.Second

// outcome of a heartbeat in these tests.
type paceOutcome uint8

const (
	answered paceOutcome = iota
	failed
	rejoin
)

// paced drives a Pacer through virtual time, with a service that does as the test says.
type paced struct {
	Pacer
	interval time.Duration
	// serve says what becomes of heartbeat n, from one, and how long that takes. Nil
	// answers at once.
	serve func(n int) (time.Duration, paceOutcome)
	// due is when the next regular heartbeat is due after one that left at sent. Nil is
	// an interval later.
	due    func(sent time.Time) time.Time
	wakes  []time.Duration // when there is news
	chance *rand.Rand

	sent []time.Duration
}

var paceStart = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)

func newPaced() *paced {
	return &paced{interval: paceInterval, chance: rand.New(rand.NewPCG(1, 2))}
}

// run sends heartbeats for d, the first one at once.
func (p *paced) run(d time.Duration) {
	now, end := paceStart, paceStart.Add(d)
	slices.Sort(p.wakes)
	var sentAt, outcomeAt time.Time
	var what paceOutcome
	p.Answered(now, now)
	for {
		at := earliest(p.Next(), outcomeAt)
		if len(p.wakes) > 0 {
			at = earliest(at, paceStart.Add(p.wakes[0]))
		}
		if at.IsZero() || !at.Before(end) {
			return
		}
		if at.After(now) {
			now = at
		}
		switch {
		case len(p.wakes) > 0 && !now.Before(paceStart.Add(p.wakes[0])):
			p.wakes = p.wakes[1:]
			p.Wake(now)
		case !outcomeAt.IsZero() && !now.Before(outcomeAt):
			outcomeAt = time.Time{}
			p.outcome(now, sentAt, what)
		default:
			p.Sent()
			p.sent = append(p.sent, now.Sub(paceStart))
			sentAt, outcomeAt, what = now, now, answered
			if p.serve != nil {
				var took time.Duration
				took, what = p.serve(len(p.sent))
				outcomeAt = now.Add(took)
			}
		}
	}
}

func (p *paced) outcome(now, sent time.Time, what paceOutcome) {
	switch what {
	case failed:
		p.Failed(now, p.interval, 0, p.chance.Float64())
	case rejoin:
		p.Rejoin(now, p.interval, 0, p.chance.Float64())
	default:
		due := sent.Add(p.interval)
		if p.due != nil {
			due = p.due(sent)
		}
		p.Answered(now, due)
	}
}

func (p *paced) check(t *testing.T, want ...time.Duration) {
	t.Helper()
	if !slices.Equal(p.sent, want) {
		t.Errorf("heartbeats left at %v, want %v", p.sent, want)
	}
}

// pauses returns the times from one heartbeat to the next.
func (p *paced) pauses() []time.Duration {
	var pauses []time.Duration
	for i := range len(p.sent) - 1 {
		pauses = append(pauses, p.sent[i+1]-p.sent[i])
	}
	return pauses
}

// The interval counts from one heartbeat leaving to the next, however long an answer takes.
func TestCadenceCountsFromSend(t *testing.T) {
	p := newPaced()
	p.serve = func(n int) (time.Duration, paceOutcome) { return time.Duration(n) * 100 * time.Millisecond, answered }
	p.run(7 * time.Second)
	p.check(t, 0, 2*time.Second, 4*time.Second, 6*time.Second)
}

// A heartbeat that was due while an answer was under way leaves at once.
func TestOverdueBeatLeavesAtOnce(t *testing.T) {
	p := newPaced()
	p.serve = func(int) (time.Duration, paceOutcome) { return 500 * time.Millisecond, answered }
	p.due = func(sent time.Time) time.Time { return sent.Add(100 * time.Millisecond) }
	p.run(1200 * time.Millisecond)
	p.check(t, 0, 500*time.Millisecond, 1000*time.Millisecond)
}

func TestNewsThatComesTogetherMakesOneBeat(t *testing.T) {
	p := newPaced()
	for i := range 16 {
		p.wakes = append(p.wakes, time.Second+time.Duration(i)*100*time.Microsecond)
	}
	p.run(4 * time.Second)
	p.check(t, 0, 1002*time.Millisecond, 3002*time.Millisecond)
}

func TestNewsInFlightMakesOneMoreBeat(t *testing.T) {
	p := newPaced()
	p.serve = func(int) (time.Duration, paceOutcome) { return 500 * time.Millisecond, answered }
	for i := range 5 {
		p.wakes = append(p.wakes, time.Duration(100+i)*time.Millisecond)
	}
	p.run(2400 * time.Millisecond)
	p.check(t, 0, 502*time.Millisecond)
}

func TestNewsBeforeTheFirstBeatIsInIt(t *testing.T) {
	p := newPaced()
	p.Wake(paceStart)
	p.run(time.Second)
	p.check(t, 0)
}

func TestWithoutADueTimeOnlyNewsCounts(t *testing.T) {
	p := newPaced()
	p.due = func(time.Time) time.Time { return time.Time{} }
	p.wakes = []time.Duration{time.Hour}
	p.run(2 * time.Hour)
	p.check(t, 0, time.Hour+2*time.Millisecond)
}

func TestZeroPacerSendsNothing(t *testing.T) {
	var p Pacer
	if at := p.Next(); !at.IsZero() {
		t.Errorf("the next heartbeat leaves at %v, want none", at)
	}
	p.Sent()
	p.Wake(paceStart)
	if at := p.Next(); !at.IsZero() {
		t.Errorf("with one in flight the next heartbeat leaves at %v, want none", at)
	}
}

// The pauses after failures double, are random by half, never exceed the interval, and leave
// room for several tries in a lease of three intervals.
func TestFailurePausesGrow(t *testing.T) {
	distinct := map[time.Duration]bool{}
	for seed := range uint64(50) {
		p := newPaced()
		p.chance = rand.New(rand.NewPCG(seed, 0))
		p.serve = func(int) (time.Duration, paceOutcome) { return 0, failed }
		p.run(30 * time.Second)
		middle := paceInterval / 10
		for i, pause := range p.pauses() {
			if low, high := middle/2, min(middle*3/2, paceInterval); pause < low || pause > high {
				t.Fatalf("pause %d is %v, want %v to %v; all are %v", i+1, pause, low, high, p.pauses())
			}
			middle = min(2*middle, paceInterval)
			distinct[pause] = true
		}
		tries := 0
		for _, at := range p.sent {
			if at < 3*paceInterval {
				tries++
			}
		}
		if tries < 4 {
			t.Errorf("%d tries in the first %v, want 4 at least: %v", tries, 3*paceInterval, p.sent)
		}
	}
	if len(distinct) < 100 {
		t.Errorf("50 runs had only %d different pauses", len(distinct))
	}
}

// The ends of the range of chance are the ends of the range of pauses.
func TestPauses(t *testing.T) {
	for _, c := range []struct {
		interval, retryAfter time.Duration
		chance               float64
		want                 []time.Duration
	}{
		{time.Second, 0, 0, []time.Duration{50 * time.Millisecond, 100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond, 500 * time.Millisecond, 500 * time.Millisecond}},
		{time.Second, 0, 1, []time.Duration{150 * time.Millisecond, 300 * time.Millisecond, 600 * time.Millisecond, time.Second, time.Second, time.Second}},
		{time.Second, 250 * time.Millisecond, 0, []time.Duration{250 * time.Millisecond, 250 * time.Millisecond, 250 * time.Millisecond, 400 * time.Millisecond}},
		{time.Second, time.Hour, 0, []time.Duration{time.Second, time.Second}},
		{2 * time.Millisecond, 0, 1, []time.Duration{1500 * time.Microsecond, 2 * time.Millisecond}}, // the first is of 1 ms at least
	} {
		var p Pacer
		for i, want := range c.want {
			p.Failed(paceStart, c.interval, c.retryAfter, c.chance)
			if got := p.Next().Sub(paceStart); got != want {
				t.Errorf("interval %v, retry after %v, chance %v: pause %d is %v, want %v", c.interval, c.retryAfter, c.chance, i+1, got, want)
			}
		}
	}
}

// After a success the pauses start over.
func TestSuccessResetsThePauses(t *testing.T) {
	p := newPaced()
	p.serve = func(n int) (time.Duration, paceOutcome) {
		if n%8 == 0 {
			return 0, answered
		}
		return 0, failed
	}
	p.run(time.Minute)
	pauses := p.pauses()
	for i := 7; i+1 < len(pauses); i += 8 {
		if pauses[i] != paceInterval {
			t.Errorf("after the success of heartbeat %d the next one left after %v, want %v", i+1, pauses[i], paceInterval)
		}
		if first := pauses[i+1]; first > paceInterval*3/20 {
			t.Errorf("after a success the first pause is %v, want %v at most", first, paceInterval*3/20)
		}
	}
	if len(pauses) < 16 {
		t.Errorf("%d heartbeats left, want more than 16", len(pauses)+1)
	}
}

// A service that is down is not asked sooner because shards come and go.
func TestNewsDoesNotCutAPause(t *testing.T) {
	p := newPaced()
	p.serve = func(n int) (time.Duration, paceOutcome) {
		if n == 1 {
			return 0, failed
		}
		return 0, answered
	}
	for i := range 90 {
		p.wakes = append(p.wakes, time.Duration(i+1)*time.Millisecond)
	}
	p.run(time.Second)
	if len(p.sent) != 2 || p.sent[1] < paceInterval/20 || p.sent[1] > paceInterval*3/20 {
		t.Errorf("heartbeats left at %v, want the second one after a pause of %v to %v and no third", p.sent, paceInterval/20, paceInterval*3/20)
	}
}

// A refused member rejoins at once, and from then on with pauses, until it is in.
func TestRejoin(t *testing.T) {
	p := newPaced()
	p.serve = func(n int) (time.Duration, paceOutcome) {
		switch n {
		case 1, 2, 3, 5, 6:
			return 0, rejoin
		}
		return 0, answered
	}
	p.run(7 * time.Second)
	got := p.pauses()
	if len(got) < 6 {
		t.Fatalf("%d heartbeats left, want 7 at least", len(got)+1)
	}
	paused := func(d time.Duration, k int) bool {
		middle := paceInterval / 10 * time.Duration(k)
		return d >= middle/2 && d <= middle*3/2
	}
	if got[0] != 0 || !paused(got[1], 1) || !paused(got[2], 2) || got[3] != paceInterval || got[4] != 0 || !paused(got[5], 4) {
		t.Errorf("refused five times, the heartbeats left after %v; want at once, a pause, twice that, the interval, at once, a pause twice as long again", got)
	}
}

// A service that takes every join and refuses the heartbeat after it, like two nodes behind
// one address that do not know each other, is not asked at wire speed.
func TestRejoinForEver(t *testing.T) {
	p := newPaced()
	p.serve = func(n int) (time.Duration, paceOutcome) {
		if n%2 == 0 {
			return 0, rejoin
		}
		p.Wake(paceStart.Add(p.sent[n-1])) // the join gave it something to say
		return 0, answered
	}
	p.run(time.Minute)
	if n := len(p.sent); n > 150 {
		t.Errorf("%d heartbeats left in a minute, want some in an interval", n)
	}
}

// A rejoin is a failure of the row: a good answer after it does not reset the pauses, and the
// second one does.
func TestOneAnswerAfterARejoinIsNoRecovery(t *testing.T) {
	var p Pacer
	pause := func() time.Duration {
		p.Failed(paceStart, time.Second, 0, 0)
		return p.Next().Sub(paceStart)
	}
	pause()
	p.Rejoin(paceStart, time.Second, 0, 0)
	p.Answered(paceStart, paceStart)
	if got := pause(); got != 100*time.Millisecond {
		t.Errorf("after one good answer the pause is %v, want it to grow on to 100ms", got)
	}
	p.Rejoin(paceStart, time.Second, 0, 0)
	pause() // a failure that is no eviction
	p.Answered(paceStart, paceStart)
	if got := pause(); got != 50*time.Millisecond {
		t.Errorf("after a failure and a good answer the pause is %v, want the first one, 50ms", got)
	}
	p.Rejoin(paceStart, time.Second, 0, 0)
	p.Answered(paceStart, paceStart)
	p.Answered(paceStart, paceStart)
	if got := pause(); got != 50*time.Millisecond {
		t.Errorf("after a recovery the pause is %v, want the first one, 50ms", got)
	}
}

// An interval that changes holds for the next pause.
func TestIntervalChanges(t *testing.T) {
	p := newPaced()
	p.serve = func(n int) (time.Duration, paceOutcome) {
		if n == 1 {
			return 0, answered
		}
		p.interval = 200 * time.Millisecond
		return 70 * time.Millisecond, failed
	}
	p.run(10 * time.Second)
	if len(p.sent) < 25 {
		t.Fatalf("heartbeats left at %v, want more than 25", p.sent)
	}
	for i, pause := range p.pauses()[1:] {
		if pause < 80*time.Millisecond || pause > 270*time.Millisecond {
			t.Errorf("pause %d is %v, want 80ms to 270ms with 70ms for a try", i+2, pause)
		}
	}
}
