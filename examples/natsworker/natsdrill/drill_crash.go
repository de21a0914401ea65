package main

import (
	"fmt"
	"time"
)

func kill(s *stage, r *report) error {
	team, err := s.begin("w1", "w2", "w3")
	if err != nil {
		return err
	}
	w, start := team[2], time.Now()
	if err := w.kill(); err != nil {
		return err
	}
	last := w.lastBeat()
	if err := s.awaitShares(team[:2]); err != nil {
		return err
	}
	if err := s.finish(r, repeated); err != nil {
		return err
	}
	r.most("from the last heartbeat to the last takeover", s.takeovers(r, start, w, last), s.o.ttl+300*time.Millisecond)
	return nil
}

// takeovers reports how long after its last heartbeat a worker's shards started at
// others, and returns the longest time.
func (s *stage) takeovers(r *report, since time.Time, gone *worker, last time.Time) time.Duration {
	var all []time.Duration
	for _, m := range s.ledger.moves(since) {
		if m.from == gone {
			all = append(all, m.started.Sub(last))
		}
	}
	r.note("shards moved", fmt.Sprint(len(all)))
	r.note("from the last heartbeat to the first takeover", short(quantile(all, 0)))
	return quantile(all, 1)
}

func frozen(s *stage, r *report) error {
	team, err := s.begin("w1", "w2", "w3")
	if err != nil {
		return err
	}
	w, start := team[2], time.Now()
	if err := w.freeze(); err != nil {
		return err
	}
	last := w.lastBeat()
	if err := s.sleep(s.o.ttl + 3*time.Second); err != nil {
		return err
	}
	if err := s.awaitShares(team[:2]); err != nil {
		return err
	}
	woken := time.Now()
	if err := w.wake(); err != nil {
		return err
	}
	if err := s.await("it has joined again", func() bool { return w.lastBeat().After(woken) }); err != nil {
		return err
	}
	joined := time.Since(woken)
	if err := s.awaitShares(team); err != nil {
		return err
	}
	if err := s.finish(r, repeated); err != nil {
		return err
	}
	// A heartbeat whose answer it did not live to see counts for the group.
	r.note("from the last answered heartbeat to the last takeover", short(s.takeovers(r, start, w, last)))
	r.note("from waking to a heartbeat that was answered", short(joined))
	r.atMost("batches printed under the old leases after waking", s.ledger.late(w), 0)
	return nil
}
