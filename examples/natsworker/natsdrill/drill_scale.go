package main

import (
	"fmt"
	"time"
)

func scale(s *stage, r *report) (err error) {
	c, err := s.newCrowd(s.o.shards, sharedClients)
	defer func() {
		if cerr := c.close(); err == nil {
			err = cerr
		}
	}()
	if err != nil {
		return err
	}
	if err := s.joins(r, c, s.o.members, "join", s.o.settle, time.Second, 200); err != nil {
		return err
	}
	if err := s.joins(r, c, s.o.members/10, "a tenth more", 2*c.beat, 500*time.Millisecond, 0); err != nil {
		return err
	}
	if err := s.idleCost(r, c); err != nil {
		return err
	}
	if err := s.saturate(r, c); err != nil {
		return err
	}
	r.loss("heartbeats that failed", int(c.failed.Load()), false)
	if err := c.reason.Load(); err != nil {
		r.note("  the first of these", (*err).Error())
	}
	r.atMost("two owners at a time", int(c.double.Load()), 0)
	return nil
}

// joins has members join and waits until all have their share. It lets the ones before
// them come to rest first.
func (s *stage) joins(r *report, c *crowd, n int, what string, rest, target time.Duration, writes int) error {
	if err := s.sleep(rest); err != nil {
		return err
	}
	docs, err := s.writes(documents)
	if err != nil {
		return err
	}
	start, used := time.Now(), s.cpu()
	c.join(n)
	if err := s.await("all have their share", c.settled); err != nil {
		return err
	}
	r.most(fmt.Sprintf("%s: %d members until all had their share", what, n), time.Since(start), target)
	s.noteCPU(r, used)
	if err := s.sleep(time.Second); err != nil {
		return err
	}
	after, err := s.writes(documents)
	if err != nil {
		return err
	}
	if writes == 0 {
		r.note(what+": documents written", fmt.Sprint(after-docs))
		return nil
	}
	r.figure(what+": documents written", float64(after-docs), float64(writes), "")
	return nil
}

// writes returns how many messages a stream has ever had. A write that was refused is
// none.
func (s *stage) writes(stream string) (uint64, error) {
	st, err := s.js.Stream(s.ctx, stream)
	if err != nil {
		return 0, err
	}
	return st.CachedInfo().State.LastSeq, nil
}

// idleCost counts what members cost that have nothing to say.
func (s *stage) idleCost(r *report, c *crowd) error {
	const intervals = 2 // that they are left alone for
	if err := s.sleep(intervals * c.beat); err != nil {
		return err
	}
	docs, err := s.writes(documents)
	if err != nil {
		return err
	}
	recs, err := s.writes(records)
	if err != nil {
		return err
	}
	if err := s.sleep(intervals * c.beat); err != nil {
		return err
	}
	docsAfter, err := s.writes(documents)
	if err != nil {
		return err
	}
	recsAfter, err := s.writes(records)
	if err != nil {
		return err
	}
	each := float64(len(c.members) * intervals)
	r.figure("idle: records written, a member and interval", float64(recsAfter-recs)/each, 1.1, "")
	r.figure("idle: documents written", float64(docsAfter-docs), 0, "")
	return nil
}

// saturate has every member beat as soon as its last heartbeat was answered, for as long
// as a drill watches.
func (s *stage) saturate(r *report, c *crowd) error {
	before, start := c.beats.Load(), time.Now()
	for time.Since(start) < s.o.settle {
		for _, m := range c.members {
			select {
			case m.poke <- struct{}{}:
			default:
			}
		}
		if err := s.sleep(time.Millisecond); err != nil {
			return err
		}
	}
	n := float64(c.beats.Load()-before) / time.Since(start).Seconds()
	r.least("heartbeats", n, 8000, "/s")
	return nil
}
