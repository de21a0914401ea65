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
}

// drills in the order in which they are run.
var drills = []drill{
	{"scale", "1000 members share 10000 shards, and a tenth more join", scale},
	{"handover", "a worker joins another one and leaves again, many times", handover},
	{"kill", "one of three workers is killed", kill},
	{"freeze", "one of three workers stands still past its lease, and wakes", frozen},
	{"node-kill", "the server that leads is killed, of each stream in turn", nodeKill},
	{"node-freeze", "the server that leads stands still for longer than a lease, and wakes", nodeFreeze},
	{"node-restart", "all servers are restarted one by one", nodeRestart},
	{"outage", "all servers are killed at once, and started again", outage},
	{"churn", "workers come and go for as many moves as -moves says", churn},
}

func names() (all []string) {
	for _, d := range drills {
		all = append(all, d.name)
	}
	return all
}

// drill does one drill.
func (o *options) drill(ctx context.Context, d drill, dir string, r *report, stderr io.Writer) (err error) {
	s, err := newStage(ctx, o, dir, stderr)
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
