package main

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// handover measures pauses, so no worker must wait for records: each takes as long for a
// record as the feed takes to put the next one, and is always a little behind.
func handover(s *stage, r *report) error {
	s.pace = []string{"-batch", "1", "-handle", (time.Second / time.Duration(s.o.rate)).String()}
	team, err := s.begin("w1")
	if err != nil {
		return err
	}
	var stood, handed, left []time.Duration
	var exits []time.Duration
	for range s.o.rounds {
		start := time.Now()
		w, err := s.start("w2")
		if err != nil {
			return err
		}
		if err := s.awaitShares(append(team, w)); err != nil {
			return err
		}
		if err := s.sleep(s.o.settle / 3); err != nil {
			return err
		}
		joined := time.Now()
		took, err := w.stop()
		if err != nil {
			return err
		}
		if err := s.awaitShares(team); err != nil {
			return err
		}
		for _, m := range s.ledger.moves(start) {
			stood, handed = append(stood, m.stood), append(handed, m.handed)
		}
		left = append(left, s.elsewhere(w, joined))
		exits = append(exits, took)
	}
	if err := s.finish(r, once); err != nil {
		return err
	}
	r.note("shards moved", fmt.Sprint(len(stood)))
	r.note("from the end there to the start here, p50", short(quantile(handed, 0.5)))
	r.note("from the end there to the start here, p99", short(quantile(handed, 0.99)))
	r.note("pause of a shard between two batches, p50", short(quantile(stood, 0.5)))
	r.most("pause of a shard between two batches, p99", quantile(stood, 0.99), 50*time.Millisecond)
	r.note("leaving: until all shards run elsewhere, p50", short(quantile(left, 0.5)))
	r.most("leaving: until all shards run elsewhere, p99", quantile(left, 0.99), 100*time.Millisecond)
	r.note("leaving: until the exit, p50", short(quantile(exits, 0.5)))
	return nil
}

// elsewhere returns how long after a time the last shard of a worker that left started at
// another one.
func (s *stage) elsewhere(gone *worker, since time.Time) (longest time.Duration) {
	for _, m := range s.ledger.moves(since) {
		if m.from == gone {
			longest = max(longest, m.started.Sub(since))
		}
	}
	return longest
}

// guests is how many workers come and go in a round of churn.
const guests = 2

// churn has workers join and leave until there were enough moves.
func churn(s *stage, r *report) error {
	team, err := s.begin("w1", "w2")
	if err != nil {
		return err
	}
	begin, first, rounds := time.Now(), s.ledger.begun(), 0
	for ; s.more(begin, first); rounds++ {
		if err := s.comeAndGo(); err != nil {
			return err
		}
		if rounds%10 != 9 {
			continue
		}
		// Those that stay are not always the same.
		if team, err = s.relieve(team, fmt.Sprintf("s%d", rounds)); err != nil {
			return err
		}
	}
	moved, took, handed := s.ledger.begun()-first, time.Since(begin), s.handed(begin)
	if err := s.finish(r, once); err != nil {
		return err
	}
	r.note("moves", fmt.Sprint(moved))
	r.note("workers that joined and left", fmt.Sprint(guests*rounds+rounds/10))
	r.note("it took", took.Round(time.Second).String())
	r.note("from the end there to the start here, p50", short(quantile(handed, 0.5)))
	r.note("from the end there to the start here, p99", short(quantile(handed, 0.99)))
	return nil
}

// comeAndGo has some workers join, and leave as soon as each has a shard: while the last
// ones are on their way.
func (s *stage) comeAndGo() error {
	var passing []*worker
	for i := range guests {
		w, err := s.start(fmt.Sprintf("g%d", i+1))
		if err != nil {
			return err
		}
		passing = append(passing, w)
	}
	if err := s.await("the new ones have shards", func() bool { return s.working(passing) }); err != nil {
		return err
	}
	for _, w := range passing {
		if _, err := w.stop(); err != nil {
			return err
		}
	}
	return s.forget(passing...)
}

// relieve has a new worker take the place of the first one of a team.
func (s *stage) relieve(team []*worker, name string) ([]*worker, error) {
	old := team[0]
	w, err := s.start(name)
	if err != nil {
		return nil, err
	}
	if _, err := old.stop(); err != nil {
		return nil, err
	}
	return append(team[1:], w), s.forget(old)
}

func (s *stage) handed(since time.Time) (all []time.Duration) {
	for _, m := range s.ledger.moves(since) {
		all = append(all, m.handed)
	}
	return all
}

// more reports whether churn goes on.
func (s *stage) more(begin time.Time, first int) bool {
	if s.o.duration > 0 {
		return time.Since(begin) < s.o.duration
	}
	return s.ledger.begun()-first < s.o.moves
}

// working reports whether each of the workers has a shard.
func (s *stage) working(workers []*worker) bool {
	owners := s.ledger.owners()
	for _, w := range workers {
		if owners[w] == 0 {
			return false
		}
	}
	return true
}

// forget drops workers that have ended, so that thousands can come and go. It returns
// what was wrong with what they printed.
func (s *stage) forget(gone ...*worker) (err error) {
	for _, w := range gone {
		err = errors.Join(err, w.end())
		s.workers = slices.DeleteFunc(s.workers, func(other *worker) bool { return other == w })
	}
	return err
}
