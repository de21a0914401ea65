package main

import (
	"fmt"
	"time"
)

// measured is how long the delays are watched.
const measured = 20 * time.Second

func latency(s *stage, r *report) error {
	if _, err := s.begin("w1"); err != nil {
		return err
	}
	before, start := s.requests(), time.Now()
	if err := s.sleep(measured); err != nil {
		return err
	}
	waits, n := s.feed.delays(s.ledger, start), s.requests()-before
	r.most("from put to handled, p50", quantile(waits, 0.5), 100*time.Millisecond)
	r.most("from put to handled, p99", quantile(waits, 0.99), 200*time.Millisecond)
	r.figure("requests", float64(n)/measured.Seconds(), 100, "/s")
	return s.finish(r, s.o.shards, 0)
}

func crowd(s *stage, r *report) error {
	if err := s.startFeed(1, s.o.rate); err != nil {
		return err
	}
	w, err := s.start("w1")
	if err != nil {
		return err
	}
	if err := s.await("the worker has all shards", func() bool { return s.balanced(1000, []*worker{w}) }); err != nil {
		return err
	}
	if err := s.sleep(2 * s.o.settle); err != nil {
		return err
	}
	before, start := s.requests(), time.Now()
	if err := s.sleep(measured); err != nil {
		return err
	}
	waits, n := s.feed.delays(s.ledger, start), s.requests()-before
	r.note("from put to handled, p50", short(quantile(waits, 0.5)))
	r.most("from put to handled, p99", quantile(waits, 0.99), 300*time.Millisecond)
	r.note("requests", fmt.Sprintf("%.0f /s", float64(n)/measured.Seconds()))
	r.figure("memory of the worker, at most", w.peak(), 40, "MiB")
	if err := s.finish(r, 1, 0); err != nil {
		return err
	}
	took, err := w.stop()
	r.note("from the signal to the exit", short(took))
	return err
}
