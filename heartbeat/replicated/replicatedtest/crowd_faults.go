package replicatedtest

import (
	"fmt"
	"time"
)

// Fault is something that befalls a group.
type Fault struct {
	Name string
	// Do begins it. May use the crowd's methods.
	Do func(c *Crowd) error
	// Undo ends it. Nil: it ends by itself.
	Undo func(c *Crowd) error
	// For is the time between Do and Undo. Zero means a TTL and a half.
	For time.Duration
	// LosesWrites says that the store forgets what it had acknowledged, in Do or in Undo.
	// Epochs and positions may then begin again from lower ones.
	LosesWrites bool
	// Deletes says that the group is deleted, in Do. Positions then begin again.
	Deletes bool
}

// Play has faults befall the crowd one after the other, while members come and go. It
// fails the test when the crowd does not settle in time after one, and if any invariant
// was broken at the end of it. It begins with a crowd that is settled, and leaves one
// that is unless it has failed. It returns what the ledger then says.
func (c *Crowd) Play(faults ...Fault) Report {
	c.Helper()
	r := c.checked("the beginning")
	for _, f := range faults {
		if c.Failed() {
			return r
		}
		c.play(f)
		r = c.checked(f.Name)
	}
	return r
}

// checked waits until the crowd has settled, and checks the ledger.
func (c *Crowd) checked(after string) Report {
	c.Helper()
	start := time.Now()
	if err := c.Settle(c.cfg.Recovery); err != nil {
		c.Errorf("after %s: %v", after, err)
	}
	settled := time.Since(start)
	r := c.ledger.Report(time.Now())
	if err := r.Err(); err != nil {
		c.Errorf("after %s: %v", after, err)
	}
	c.Logf("after %s: settled in %v; %s", after, settled, r)
	return r
}

// play plays one fault, with two who come and go before, in and after it.
func (c *Crowd) play(f Fault) {
	c.Helper()
	if f.For <= 0 {
		f.For = c.cfg.TTL * 3 / 2
	}
	c.passed += 2
	first, second, step := fmt.Sprint("passing-", c.passed-1), fmt.Sprint("passing-", c.passed), f.For/4
	c.Join(first)
	time.Sleep(c.cfg.Interval)
	c.lostWrites(f) // also before, for what is noted while it happens
	if err := f.Do(c); err != nil {
		c.Fatalf("%s: %v", f.Name, err)
	}
	c.lostWrites(f)
	time.Sleep(step)
	c.Join(second)
	time.Sleep(step)
	c.Leave(first)
	time.Sleep(f.For - 2*step)
	c.lostWrites(f)
	if f.Undo != nil {
		if err := f.Undo(c); err != nil {
			c.Fatalf("the end of %s: %v", f.Name, err)
		}
	}
	c.lostWrites(f)
	c.Leave(second)
}

func (c *Crowd) lostWrites(f Fault) {
	if f.LosesWrites {
		c.ledger.Note(Event{Kind: EventLostWrites, At: time.Now()})
	}
	if f.Deletes {
		c.ledger.Note(Event{Kind: EventDeleted, At: time.Now()})
	}
}
