package replicatedtest

import (
	"fmt"
	"time"
)

// Fault is a failure for Crowd.Play, for example a restart of the store.
type Fault struct {
	Name string
	// Do begins the fault. It may call the methods of the crowd.
	Do func(c *Crowd) error
	// Undo ends the fault. Nil: it ends by itself.
	Undo func(c *Crowd) error
	// For is the time between Do and Undo. Zero means one and a half TTLs.
	For time.Duration
	// LosesWrites says that Do or Undo makes the store lose writes that it had acknowledged.
	// Epochs and positions may be lower after that.
	LosesWrites bool
	// Deletes says that Do deletes the group. Positions then start again from zero.
	Deletes bool
}

// Play makes the faults happen one after the other, while members join and leave. It checks
// before the first fault, and after each, that the crowd settles within CrowdConfig.Recovery
// and that no promise was broken. If a check fails, Play fails the test and skips the other
// faults.
func (c *Crowd) Play(faults ...Fault) {
	c.Helper()
	c.settleAndCheck("the beginning")
	for _, f := range faults {
		if c.Failed() {
			return
		}
		c.play(f)
		c.settleAndCheck(f.Name)
	}
}

// settleAndCheck waits until the crowd has settled, and checks what it has done.
func (c *Crowd) settleAndCheck(after string) {
	c.Helper()
	start := time.Now()
	if err := c.Settle(c.cfg.Recovery); err != nil {
		c.Errorf("after %s: %v", after, err)
	}
	settled := time.Since(start)
	r := c.Report()
	if err := r.err(); err != nil {
		c.Errorf("after %s: %v", after, err)
	}
	c.Logf("after %s: settled in %v; %s", after, settled, r)
}

// play plays one fault. Meanwhile two members join, and leave.
func (c *Crowd) play(f Fault) {
	c.Helper()
	if f.For <= 0 {
		f.For = c.cfg.TTL * 3 / 2
	}
	c.passed += 2
	first, second, step := fmt.Sprint("passing-", c.passed-1), fmt.Sprint("passing-", c.passed), f.For/4
	c.Join(first)
	time.Sleep(c.cfg.Interval)
	c.lostWrites(f) // before Do too, because members note events while Do runs
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
		c.ledger.note(event{Kind: eventLostWrites, At: time.Now()})
	}
	if f.Deletes {
		c.ledger.note(event{Kind: eventDeleted, At: time.Now()})
	}
}
