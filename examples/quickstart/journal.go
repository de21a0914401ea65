package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// journal records from the coordinators' hooks which worker owned which shard, and when.
// Hooks of different workers can be called out of order, so the journal stores each event
// under its shard and epoch.
type journal struct {
	begin time.Time

	mu      sync.Mutex // guards the fields below
	tenures map[shardset.ID][]*tenure
	kills   map[string]time.Time // worker -> when it was killed
	notes   []note
}

// tenure is one worker's time with one shard. A zero time means that the event has not
// happened, or that its hook was not called yet.
type tenure struct {
	epoch   uint64
	member  string
	started time.Time // Process was called
	asked   time.Time // the processor was asked to finish
	leaves  bool      // because the worker leaves
	lost    time.Time // the lease ended
	stopped time.Time // the processor has returned
	outcome shardset.Outcome
}

// note is a line for the display.
type note struct {
	at   time.Duration // since the begin
	text string
}

func newJournal() *journal {
	return &journal{begin: time.Now(), tenures: map[shardset.ID][]*tenure{}, kills: map[string]time.Time{}}
}

// hooks returns the hooks that write into the journal.
func (j *journal) hooks() coordinator.Hooks {
	write := func(change func(t *tenure, e coordinator.ShardEvent)) func(coordinator.ShardEvent) {
		return func(e coordinator.ShardEvent) { j.write(e, change) }
	}
	return coordinator.Hooks{
		Started: write(func(t *tenure, e coordinator.ShardEvent) {
			if t.started.IsZero() { // not a restart after an error
				t.started = e.At
			}
		}),
		Draining: write(func(t *tenure, e coordinator.ShardEvent) {
			t.asked, t.leaves = e.At, errors.Is(e.Err, processor.ErrShutdown)
		}),
		Cancelled: write(func(t *tenure, e coordinator.ShardEvent) {
			if errors.Is(e.Err, processor.ErrLeaseLost) {
				t.lost = e.At
			}
		}),
		Stopped: write(func(t *tenure, e coordinator.ShardEvent) {
			t.stopped, t.outcome = e.At, e.Outcome
		}),
		Failed: write(func(_ *tenure, e coordinator.ShardEvent) {
			j.notes = append(j.notes, note{e.At.Sub(j.begin), fmt.Sprintf("%s: shard %s: %v", e.Member, e.ID, e.Err)})
		}),
	}
}

// write finds the tenure of an event and changes it. It drops the events of a worker after
// its kill, because a crashed process would not report them.
func (j *journal) write(e coordinator.ShardEvent, change func(*tenure, coordinator.ShardEvent)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if killed, ok := j.kills[e.Member]; ok && e.At.After(killed) {
		return
	}
	list := j.tenures[e.ID]
	i, found := slices.BinarySearchFunc(list, e.Epoch, func(t *tenure, epoch uint64) int { return cmp.Compare(t.epoch, epoch) })
	if !found {
		list = slices.Insert(list, i, &tenure{epoch: e.Epoch, member: e.Member})
		j.tenures[e.ID] = list
	}
	change(list[i], e)
}

// kill notes that a worker is killed now.
func (j *journal) kill(member string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.kills[member] = time.Now()
}

// say adds a note.
func (j *journal) say(format string, args ...any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.notes = append(j.notes, note{time.Since(j.begin), fmt.Sprintf(format, args...)})
}

// told returns the notes from the n-th on.
func (j *journal) told(n int) []note {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.notes[min(n, len(j.notes)):])
}

// settled reports whether the shard runs under that epoch, and the journal knows the
// end of the tenure before it.
func (j *journal) settled(id shardset.ID, epoch uint64) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := started(j.tenures[id])
	if len(list) == 0 || list[len(list)-1].epoch != epoch {
		return false
	}
	if len(list) == 1 {
		return true
	}
	_, ok := j.handover(id, list[len(list)-2], list[len(list)-1])
	return ok
}

// started omits the grants that were revoked before a processor ran.
func started(list []*tenure) []*tenure {
	return slices.DeleteFunc(slices.Clone(list), func(t *tenure) bool { return t.started.IsZero() })
}
