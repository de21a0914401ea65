package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// drill is one thing to try.
type drill struct {
	name, what string
	do         func(*stage, *report) error
	needs      func() error  // says why it cannot be done here; may be nil
	flush      time.Duration // the least delay of every flush of a server's disk
}

// drills in the order in which they are run.
var drills = []drill{
	{name: "scale", what: "1000 members share 10000 shards, and a tenth more join", do: scale},
	{name: "connections", what: "300 clients with a connection and watches each join, and are idle", do: connections},
	{name: "handover", what: "a worker joins another one and leaves again, many times", do: handover},
	{name: "kill", what: "one of three workers is killed", do: kill},
	{name: "freeze", what: "one of three workers stands still past its lease, and wakes", do: frozen, needs: freezable},
	{name: "node-kill", what: "the server that leads is killed, of each stream in turn", do: nodeKill},
	{name: "node-freeze", what: "the server that leads stands still for longer than a lease, and wakes", do: nodeFreeze, needs: freezable},
	{name: "node-restart", what: "all servers are restarted one by one", do: nodeRestart},
	{name: "slow-disk", what: "every flush of the servers' disks takes 20 ms longer, and a worker comes and goes", do: slowDisk,
		needs: slowable, flush: 20 * time.Millisecond},
	{name: "outage", what: "all servers are killed at once, and started again", do: outage},
	{name: "churn", what: "workers come and go for as many moves as -moves says", do: churn},
}

func names() (all []string) {
	for _, d := range drills {
		all = append(all, d.name)
	}
	return all
}

// possible says why a drill cannot be done here.
func (d drill) possible() error {
	if d.needs == nil {
		return nil
	}
	return d.needs()
}

// drill does one drill.
func (o *options) drill(ctx context.Context, d drill, dir string, r *report, stderr io.Writer) (err error) {
	with := *o
	with.flush = max(o.flush, d.flush)
	s, err := newStage(ctx, &with, dir, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close(), os.RemoveAll(s.dir)) }()
	return d.do(s, r)
}

// outcome is what may have happened to records.
type outcome int64

const (
	// once: nothing was handled twice.
	once outcome = iota + 1
	// repeated: what was not committed in time was handled again.
	repeated
)

// finish ends the feed, waits until everything is handled, and counts.
func (s *stage) finish(r *report, expected outcome) error {
	if err := s.sleep(s.o.settle); err != nil {
		return err
	}
	if err := s.feed.stop(); err != nil {
		return err
	}
	ends, err := s.ends()
	if err != nil {
		return err
	}
	if err := s.awaitHandled(ends); err != nil {
		return err
	}
	if err := s.stopAll(); err != nil {
		return err
	}
	total := int64(0)
	for _, n := range ends {
		total += n
	}
	twice, missing, breaks := s.ledger.counts(ends)
	r.note("records", fmt.Sprint(total))
	r.atMost("records lost", int(missing+breaks), 0)
	if expected == once {
		r.atMost("records handled twice", int(twice), 0)
	} else {
		r.note("records handled twice, not committed before", fmt.Sprint(twice))
	}
	v := s.ledger.judge()
	r.atMost("two owners at a time", v.double, 0)
	r.atMost("epochs given twice or out of order", v.epochs, 0)
	r.atMost("checkpoints that went back", v.back, 0)
	if v.first != "" {
		r.note("  the first of these", v.first)
	}
	return nil
}

// awaitHandled waits until all records are handled. At the worst their owners have just
// died; what is missing after that is lost.
func (s *stage) awaitHandled(ends []int64) error {
	for end := time.Now().Add(2*s.o.ttl + 10*time.Second); time.Now().Before(end); {
		if _, missing, _ := s.ledger.counts(ends); missing == 0 {
			return nil
		}
		if err := s.sleep(20 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// stopAll asks the workers that are still there to end, and waits for them.
func (s *stage) stopAll() error {
	for _, w := range s.workers {
		select {
		case <-w.done:
			continue
		default:
		}
		if _, err := w.stop(); err != nil {
			return err
		}
	}
	return nil
}
