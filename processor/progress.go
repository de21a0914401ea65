package processor

import "time"

// Progress is what a processor says about its work, for RunStatus to show. The zero
// value says nothing.
type Progress struct {
	// Batches, Items and Bytes were handled since Process was called.
	Batches, Items, Bytes int64
	// Retries is how often something was handled again after an error.
	Retries int64
	// Reading is the place that the reading has come to, ahead of RunStatus.Position.
	Reading Position
	// Lag is how far the work is behind the end of the shard, in time. Negative: nobody
	// knows.
	Lag time.Duration
	// LagSince is when Lag was so, if it has grown with the clock since: nothing of what
	// was read then is done with, or nothing was read since. RunStatus adds the time
	// that has passed to Lag. Zero: Lag does not grow.
	LagSince time.Time
	// CaughtUp: the work has come to the end of what there is, and looks for more. A
	// processor that says so is idle, and is not reported as stuck.
	CaughtUp bool
	// Buffered is the bytes that were read and are not done with.
	Buffered int64
	// Trouble is why the work does not go on just now: a read that fails, or a batch.
	// Nil while it does.
	Trouble error
}

// Poison is a piece of a shard that was given up after it had failed.
type Poison struct {
	// From and Next are where it begins, and what comes after it.
	From, Next Position
	// Items is how many of them were given up.
	Items int
	// Attempts is how often they were tried.
	Attempts int
	// DeadLettered: they went elsewhere. Otherwise they were skipped.
	DeadLettered bool
	// Err is how the last attempt failed.
	Err error
}

// Gap is a hole in what a shard was read for: what had been there at Lost was gone,
// and the reading went on at Resumed. An empty Resumed means that the shard itself is
// gone, with what was left of it; an empty Lost that nothing of it had been read.
type Gap struct {
	Lost, Resumed Position
	// Err is how the source said so.
	Err error
}

// at returns p as it is now.
func (p Progress) at(now time.Time) Progress {
	if !p.LagSince.IsZero() && p.Lag >= 0 {
		p.Lag += max(0, now.Sub(p.LagSince))
	}
	return p
}

// ReportProgress has RunStatus show p, until the next ReportProgress or the next call of Process.
// After Process has returned it does nothing.
func (s *Shard) ReportProgress(p Progress) {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	if !s.closed.Load() {
		s.run.status.Progress = p
		s.run.watch.sign, s.run.watch.caughtUp = time.Now(), p.CaughtUp
	}
}

// ReportPoison has p counted, logged and told to the hooks. After Process has returned it
// does nothing.
func (s *Shard) ReportPoison(p Poison) {
	if !s.tell(func(st *RunStatus) { st.Poison++ }) {
		return
	}
	defer s.telling.Done()
	if poisoned := s.run.runner.cfg.Observer.Poisoned; poisoned != nil {
		poisoned(s.Lease(), p)
	}
}

// ReportGap has g counted, logged and told to the hooks. After Process has returned it
// does nothing.
func (s *Shard) ReportGap(g Gap) {
	if !s.tell(func(st *RunStatus) { st.Gaps++ }) {
		return
	}
	defer s.telling.Done()
	if skipped := s.run.runner.cfg.Observer.Skipped; skipped != nil {
		skipped(s.Lease(), g)
	}
}

// tell counts what the observer is about to be told, unless Process has returned. With
// true, the caller calls telling.Done afterwards.
func (s *Shard) tell(count func(st *RunStatus)) bool {
	s.run.mu.Lock()
	defer s.run.mu.Unlock()
	if s.closed.Load() {
		return false
	}
	count(&s.run.status)
	s.run.watch.sign = time.Now()
	s.telling.Add(1)
	return true
}
