package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// drill is one thing to try.
type drill struct {
	name string
	do   func(*stage, *report) error
}

// drills in the order in which they are run.
var drills = []drill{
	{"join: a third worker joins two", join},
	{"stop: one of three workers is asked to end", stop},
	{"kill: one of three workers is killed", kill},
	{"freeze: one of three workers stands still past its lease, and wakes", freeze},
	{"rolling: four workers with stable names are restarted one by one", rolling},
	{"latency: one worker reads all shards", latency},
	{"crowd: one worker, 1000 shards, one of them busy", crowd},
}

// name is the first word.
func (d drill) short() string { return d.name[:strings.IndexByte(d.name, ':')] }

func names() (all []string) {
	for _, d := range drills {
		all = append(all, d.short())
	}
	return all
}

// drill does one drill.
func (o *options) drill(ctx context.Context, name string, r *report, stderr io.Writer) (err error) {
	i := slices.IndexFunc(drills, func(d drill) bool { return d.short() == name })
	shards := o.shards
	if name == "crowd" {
		shards = 1000
	}
	s, err := newStage(ctx, o, shards, stderr)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	return drills[i].do(s, r)
}

// begin starts the feed and the workers, and lets them run.
func (s *stage) begin(names ...string) ([]*worker, error) {
	if err := s.startFeed(s.o.shards, s.o.rate); err != nil {
		return nil, err
	}
	team, err := s.team(s.o.shards, names...)
	if err != nil {
		return nil, err
	}
	return team, s.sleep(s.o.settle)
}

// finish ends the feed, waits until everything is handled, and counts. allowed is how
// many log groups may have been handled twice.
func (s *stage) finish(r *report, shards, allowed int) error {
	if err := s.sleep(s.o.settle); err != nil {
		return err
	}
	s.feed.stop()
	if err := s.feed.fault(); err != nil {
		return err
	}
	twice, lost, total := 0, 0, 0
	for n := range shards {
		end, err := s.feed.cursor(s.ctx, n, "end")
		if err != nil {
			return err
		}
		total += int(end - s.feed.begin[n])
		// At the worst the shard's owner has just died.
		deadline := time.Now().Add(2*s.o.timeout + 10*time.Second)
		for {
			t, l := s.ledger.count(n, s.feed.begin[n], end)
			if l == 0 || time.Now().After(deadline) {
				twice, lost = twice+t, lost+l
				break
			}
			if err := s.sleep(50 * time.Millisecond); err != nil {
				return err
			}
		}
	}
	r.note("log groups", fmt.Sprint(total))
	r.atMost("log groups lost", lost, 0)
	r.atMost("log groups handled twice", twice, allowed)
	return nil
}
