package main

import (
	"fmt"
	"slices"
	"time"
)

// nodeKill kills the server that leads the members' records, then that of the document,
// then that of the data: one server may lead them all, and then it is another one each
// time.
func nodeKill(s *stage, r *report) error {
	return s.eachLeader(r, func(n *node) error {
		n.kill()
		if err := s.sleep(s.o.ttl + 3*time.Second); err != nil {
			return err
		}
		return n.start(s.stderr)
	})
}

func nodeFreeze(s *stage, r *report) error {
	return s.eachLeader(r, func(n *node) error {
		if err := freeze(n.cmd.Process); err != nil {
			return err
		}
		if err := s.sleep(s.o.ttl + 3*time.Second); err != nil {
			return err
		}
		return wake(n.cmd.Process)
	})
}

// eachLeader does something to the server that leads, stream by stream, and reports
// whether that cost anybody a shard.
func (s *stage) eachLeader(r *report, do func(*node) error) error {
	if _, err := s.begin("w1", "w2", "w3"); err != nil {
		return err
	}
	before := time.Now()
	for _, stream := range []string{records, documents, s.stream.Name} {
		if err := s.whole(); err != nil {
			return err
		}
		n, err := s.leader(stream)
		if err != nil {
			return err
		}
		start := time.Now()
		if err := do(n); err != nil {
			return err
		}
		r.note(fmt.Sprintf("%s, leader of %s: longest silence of a worker", n.name, stream), short(s.silence(start)))
	}
	if err := s.whole(); err != nil {
		return err
	}
	return s.kept(r, before)
}

// silence returns the longest time since a start without a heartbeat that was answered,
// of any worker.
func (s *stage) silence(since time.Time) (longest time.Duration) {
	for _, w := range s.workers {
		longest = max(longest, w.silence(since, time.Now()))
	}
	return longest
}

// kept reports whether any shard has changed hands.
func (s *stage) kept(r *report, since time.Time) error {
	moved := s.ledger.startsSince(since)
	if err := s.finish(r, once); err != nil {
		return err
	}
	r.loss("shards that changed hands", moved, s.o.ttl >= safeTTL)
	return nil
}

// safeTTL is the least lease that outlives a failover: see TTL.md.
const safeTTL = 15 * time.Second

func nodeRestart(s *stage, r *report) error {
	if _, err := s.begin("w1", "w2", "w3"); err != nil {
		return err
	}
	before := time.Now()
	for _, n := range s.nodes {
		if err := s.whole(); err != nil {
			return err
		}
		start := time.Now()
		if err := n.stop(); err != nil {
			return err
		}
		stopped := time.Since(start)
		if err := n.start(s.stderr); err != nil {
			return err
		}
		if err := s.whole(); err != nil {
			return err
		}
		if err := s.sleep(s.o.settle); err != nil {
			return err
		}
		r.note(n.name+": it took to stop", short(stopped))
		r.note(n.name+": longest silence of a worker", short(s.silence(start)))
	}
	return s.kept(r, before)
}

// outage kills all servers. In memory, where the members' records are, nothing survives,
// so every shard is taken afresh; the document and the checkpoints are on disk.
func outage(s *stage, r *report) error {
	team, err := s.begin("w1", "w2", "w3")
	if err != nil {
		return err
	}
	if err := s.all(func(n *node) error { n.kill(); return nil }); err != nil {
		return err
	}
	if err := s.sleep(2 * time.Second); err != nil {
		return err
	}
	start := time.Now()
	if err := s.all(func(n *node) error { return n.start(s.stderr) }); err != nil {
		return err
	}
	if err := s.whole(); err != nil {
		return err
	}
	whole := time.Now()
	// Until then they work on under their old leases.
	if err := s.await("all workers have heard from the group", func() bool { return s.heard(team, start) }); err != nil {
		return err
	}
	heard := time.Now()
	if err := s.await("all shards are worked on", func() bool { return s.balanced(team) && s.handledAll(heard) }); err != nil {
		return err
	}
	owned := time.Since(whole)
	moved := s.ledger.startsSince(start)
	if err := s.finish(r, repeated); err != nil {
		return err
	}
	r.note("from the start of the servers until they were whole", short(whole.Sub(start)))
	r.note("shards that were taken afresh", fmt.Sprint(moved))
	r.most("from then until every shard was worked on", owned, s.o.ttl+2*time.Second)
	return nil
}

// heard reports whether a heartbeat of each worker was answered since a time.
func (s *stage) heard(team []*worker, since time.Time) bool {
	return !slices.ContainsFunc(team, func(w *worker) bool { return !w.lastBeat().After(since) })
}

// handledAll reports whether something of every shard was handled since a time.
func (s *stage) handledAll(since time.Time) bool {
	for _, runs := range s.ledger.sequence() {
		if len(runs) == 0 || !runs[len(runs)-1].last.After(since) {
			return false
		}
	}
	return true
}
