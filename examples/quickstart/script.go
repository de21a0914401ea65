package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// The script changes the membership while the work goes on. Each step waits for its
// time, and until the group has settled after the step before: then every shard runs on
// a living worker, or is done.
func (w *work) script() {
	steps := []struct {
		at     float64                         // share of the duration
		missed string                          // what did not happen if the work is done before
		do     func() (done string, err error) // done is printed when the group has settled again
	}{
		{0.2, "a worker could join", w.join},
		{0.4, "a worker could leave", w.leave},
		{0.6, "a worker could be killed", w.kill},
	}
	for _, s := range steps {
		at := w.begin.Add(time.Duration(s.at * float64(w.duration)))
		if !w.wait(func() bool { return !time.Now().Before(at) && w.settled() }) {
			if errors.Is(context.Cause(w.ctx), errDone) {
				w.journal.say("all lines were processed before %s", s.missed)
			}
			return
		}
		since := time.Now()
		done, err := s.do()
		if err != nil {
			w.cancel(err)
			return
		}
		w.wait(w.settled)
		if done != "" && w.settled() { // also when this took until the last line
			w.summarize(done, since)
		}
	}
}

// join starts one more worker. The group moves its fair share of the shards to it.
func (w *work) join() (string, error) {
	k, err := newWorker(w, fmt.Sprintf("w%d", len(w.workers)+1))
	if err != nil {
		return "", err
	}
	w.journal.say("%s joins", k.name)
	w.mu.Lock()
	w.workers = append(w.workers, k)
	w.mu.Unlock()
	k.start()
	w.wait(func() bool { return w.isMember(k.name) })
	return k.name + " has its share", nil
}

// leave stops a worker as a rolling restart would: it finishes the lines in hand,
// commits, and releases its shards.
func (w *work) leave() (string, error) {
	k := w.workers[w.options.workers-1]
	w.journal.say("%s leaves", k.name)
	k.stop()
	<-k.ended
	return k.name + " has left", nil
}

// death records what a killed worker held, and what it did after it woke up.
type death struct {
	member string
	shards int
	open   int   // lines that it had processed and not committed
	over   bool  // its lease had ended when it woke up
	late   int64 // lines that it processed after it woke up
}

// kill kills a worker without a message to the group. The group finds out when the
// lease ends.
func (w *work) kill() (string, error) {
	k := w.workers[w.options.workers-2]
	k.kill()
	w.journal.kill(k.name)
	d := &death{member: k.name}
	for _, s := range w.service.Snapshot().Shards {
		if s.Owner == k.name && s.State != group.StateClosed {
			d.shards++
			d.open += w.open(s.ID)
		}
	}
	w.mu.Lock()
	w.death = d
	w.mu.Unlock()
	if d.shards == 0 {
		w.journal.say("%s is killed: it held no shard", d.member)
		return "", nil
	}
	w.journal.say("%s is killed: it held %s, with %s not committed", d.member, count(d.shards, "shard"), count(d.open, "line"))
	return "the lease of " + d.member + " is over", nil
}

// open returns how many lines of a shard were processed and not committed.
func (w *work) open(id shardset.ID) int {
	_, next := w.sink.progress(id)
	committed, err := w.committed(w.spans[id])
	if err != nil {
		return 0
	}
	return next - committed.line
}

// settled reports whether every shard runs with a living worker, or is done.
func (w *work) settled() bool {
	for _, s := range w.service.Snapshot().Shards {
		if s.State == group.StateClosed {
			continue
		}
		if s.State != group.StateHeld || w.isDead(s.Owner) || !w.journal.settled(s.ID, s.Epoch) {
			return false
		}
	}
	return true
}

func (w *work) isDead(member string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.death != nil && w.death.member == member
}

func (w *work) isMember(name string) bool {
	for _, m := range w.service.Snapshot().Members {
		if m.Name == name {
			return true
		}
	}
	return false
}

// summarize says what a step has moved.
func (w *work) summarize(done string, since time.Time) {
	moved := 0
	var longest time.Duration
	for _, h := range w.journal.handovers() {
		if h.at.After(since) {
			moved++
			longest = max(longest, h.pause)
		}
	}
	if moved == 0 {
		w.journal.say("%s: no shard had to move", done)
		return
	}
	w.journal.say("%s: %s moved, longest pause %s", done, count(moved, "shard"), short(longest))
}
