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
	start := time.Now()
	if err := team[2].cmd.Process.Kill(); err != nil {
		return err
	}
	<-team[2].done
	last := s.lastBeat("w3")
	loose, err := s.uncommitted(team[2])
	if err != nil {
		return err
	}
	r.note("log groups not committed when it was killed", fmt.Sprint(loose))
	if err := s.awaitTakeover(team[2]); err != nil {
		return err
	}
	if err := s.finish(r, s.o.shards, loose); err != nil {
		return err
	}
	s.takeovers(r, start, team[2], last)
	return nil
}

func freeze(s *stage, r *report) error {
	team, err := s.begin("w1", "w2", "w3")
	if err != nil {
		return err
	}
	w := team[2]
	start := time.Now()
	if err := w.freeze(); err != nil {
		return err
	}
	last := s.lastBeat("w3")
	if err := s.sleep(s.o.timeout + 3*time.Second); err != nil {
		return err
	}
	woken := time.Now()
	if err := w.wake(); err != nil {
		return err
	}
	if err := s.await("it has joined again", func() bool { return s.lastBeat("w3").After(woken) }); err != nil {
		return err
	}
	joined := s.lastBeat("w3")
	if err := s.await("it has its share again", func() bool { return s.balanced(s.o.shards, team) }); err != nil {
		return err
	}
	loose, late := s.loose(w, start, woken), 0
	for n := range s.o.shards {
		for _, h := range s.ledger.shard(n) {
			if h.worker == w && h.at.After(woken) && h.at.Before(joined) {
				late++
			}
		}
	}
	r.atMost("batches printed between waking and joining again", late, 0)
	r.note("commits refused after waking", fmt.Sprint(s.refusals("w3", woken)))
	r.note("log groups handled and not committed before", fmt.Sprint(loose))
	if err := s.finish(r, s.o.shards, loose); err != nil {
		return err
	}
	s.takeovers(r, start, w, last)
	return nil
}

// loose returns how many log groups a frozen worker had handled, or had in its hands,
// beyond the checkpoints that the others went on from.
func (s *stage) loose(w *worker, frozen, woken time.Time) (n int) {
	for shard := range s.o.shards {
		var last, first int64 = -1, -1
		for _, h := range s.ledger.shard(shard) {
			switch {
			case h.worker == w && h.at.Before(woken):
				last = max(last, h.next)
			case h.worker != w && h.at.After(frozen) && (first < 0 || h.from < first):
				first = h.from
			}
		}
		if last >= 0 && first >= 0 {
			n += max(int(last-first), 0)
		}
	}
	return n
}
