package main

import (
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

func join(s *stage, r *report) error {
	team, err := s.begin("w1", "w2")
	if err != nil {
		return err
	}
	start := time.Now()
	w, err := s.start("w3")
	if err != nil {
		return err
	}
	if err := s.await("the third worker has its share", func() bool { return s.balanced(s.o.shards, append(team, w)) }); err != nil {
		return err
	}
	r.note("until all had their share", short(time.Since(start)))
	if err := s.finish(r, s.o.shards, 0); err != nil {
		return err
	}
	s.pauses(r, start, 300*time.Millisecond)
	return nil
}

// pauses reports the changes of hands since a time.
func (s *stage) pauses(r *report, since time.Time, target time.Duration) {
	all := pauses(s.ledger.moves(s.o.shards, since))
	r.note("shards moved", fmt.Sprint(len(all)))
	r.note("pause, p50", short(quantile(all, 0.5)))
	r.most("pause, p99", quantile(all, 0.99), target)
}

func stop(s *stage, r *report) error {
	team, err := s.begin("w1", "w2", "w3")
	if err != nil {
		return err
	}
	start := time.Now()
	took, err := team[2].stop()
	if err != nil {
		return err
	}
	last := s.lastBeat("w3")
	r.most("from the signal to the exit", took, 100*time.Millisecond)
	r.note("a heartbeat after the signal", fmt.Sprint(last.After(start)))
	if err := s.awaitTakeover(team[2]); err != nil {
		return err
	}
	if err := s.finish(r, s.o.shards, 0); err != nil {
		return err
	}
	s.takeovers(r, start, team[2], last)
	return nil
}

// awaitTakeover waits until a worker's shards are handled by others.
func (s *stage) awaitTakeover(gone *worker) error {
	return s.await("its shards are in other hands", func() bool {
		for n := range s.o.shards {
			list := s.ledger.shard(n)
			if len(list) > 0 && list[len(list)-1].worker == gone {
				return false
			}
		}
		return true
	})
}

// takeovers reports how long after its last heartbeat a worker's shards were handled by
// others.
func (s *stage) takeovers(r *report, since time.Time, gone *worker, last time.Time) {
	var all []time.Duration
	for _, m := range s.ledger.moves(s.o.shards, since) {
		if m.from == gone {
			all = append(all, m.first.Sub(last))
		}
	}
	r.note("shards moved", fmt.Sprint(len(all)))
	r.most("from the last heartbeat to the last takeover", quantile(all, 1), s.o.timeout+300*time.Millisecond)
}

// uncommitted returns how many log groups a worker has handled beyond what is committed.
func (s *stage) uncommitted(w *worker) (n int, err error) {
	for shard := range s.o.shards {
		list := s.ledger.shard(shard)
		if len(list) == 0 || list[len(list)-1].worker != w {
			continue
		}
		at, found, err := s.client.Load(s.ctx, processor.Owner{Lease: shardset.Lease{ID: shardset.ID{Log: logstore, Number: shard}}})
		if err != nil {
			return 0, err
		}
		committed := s.feed.begin[shard]
		if found {
			if committed, err = number(string(at)); err != nil {
				return 0, err
			}
		}
		n += max(int(list[len(list)-1].next-committed), 0)
	}
	return n, nil
}

func rolling(s *stage, r *report) error {
	team, err := s.begin("w1", "w2", "w3", "w4")
	if err != nil {
		return err
	}
	start := time.Now()
	for i, w := range team {
		if _, err := w.stop(); err != nil {
			return err
		}
		if team[i], err = s.start(w.name); err != nil {
			return err
		}
		fresh := team[i]
		share := s.o.shards / len(team)
		err = s.await("the restarted worker works on its share", func() bool { return s.active(fresh) >= share })
		if err != nil {
			return err
		}
		if err := s.sleep(time.Second); err != nil {
			return err
		}
	}
	if err := s.finish(r, s.o.shards, 0); err != nil {
		return err
	}
	all := pauses(s.ledger.moves(s.o.shards, start))
	r.note("shards restarted", fmt.Sprint(len(all)))
	r.most("pause, mean", mean(all), 300*time.Millisecond)
	r.note("pause, p99", short(quantile(all, 0.99)))
	return nil
}

// active returns how many shards a worker was the last one to handle.
func (s *stage) active(w *worker) (n int) {
	for shard := range s.o.shards {
		if list := s.ledger.shard(shard); len(list) > 0 && list[len(list)-1].worker == w {
			n++
		}
	}
	return n
}
