package replicatedtest

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Report is what a Ledger found.
type Report struct {
	// Faults are the invariants that were broken, each with what broke it: two owners of
	// a shard at once; an epoch that came again or went back; a checkpoint that went
	// back; a committed record that nobody has processed; an event of a processor that
	// had never started. At most a hundred are kept.
	Faults []string

	Starts     int // processors that were started, restarts included
	Records    int // processed, duplicates included
	Duplicates int // records processed again
	Lost       int // records committed and never processed
	Commits    int // accepted
	// Late counts records that were processed after the lease had ended as far as the
	// ledger was told. One in the instant when a frozen process wakes is no fault.
	Late int

	// Overlap is the longest time that a shard had an owner from before the store lost
	// writes beside one from after that.
	Overlap time.Duration

	// Pauses are the times when nobody worked on a shard, from its first start to the
	// end, the longest first.
	Pauses []Pause
	// Unowned are the shards that nobody worked on at the end.
	Unowned []string
}

// Pause is a time when nobody worked on a shard.
type Pause struct {
	Shard    string
	From, To time.Time
}

// Length returns how long it was.
func (p Pause) Length() time.Duration { return p.To.Sub(p.From) }

func (p Pause) String() string {
	return fmt.Sprintf("shard %s, %v from %s", p.Shard, p.Length(), clock(p.From))
}

const maxFaults = 100

func (r *Report) fault(format string, args ...any) {
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

// Err returns nil if no invariant was broken, or an error that lists those that were.
func (r Report) Err() error {
	if len(r.Faults) == 0 {
		return nil
	}
	return fmt.Errorf("%d invariants were broken:\n\t%s", len(r.Faults), strings.Join(r.Faults, "\n\t"))
}

// Pause returns the length that this part of the pauses does not exceed: 0.5 is the
// median, 1 the longest. It is zero if there was none.
func (r Report) Pause(part float64) time.Duration {
	n := len(r.Pauses)
	if n == 0 {
		return 0
	}
	rank := int(math.Ceil(part * float64(n))) // from 1, the shortest
	return r.Pauses[n-min(max(rank, 1), n)].Length()
}

// Longest returns the longest pause of each shard that had one.
func (r Report) Longest() map[string]Pause {
	longest := map[string]Pause{}
	for _, p := range r.Pauses {
		if _, ok := longest[p.Shard]; !ok {
			longest[p.Shard] = p
		}
	}
	return longest
}

func (r Report) String() string {
	overlap := ""
	if r.Overlap > 0 {
		overlap = fmt.Sprintf(", overlap %v", r.Overlap)
	}
	return fmt.Sprintf("%d starts, %d records, %d duplicates, %d lost, %d late, %d commits, %d pauses (p50 %v, p99 %v, max %v), %d shards unowned%s",
		r.Starts, r.Records, r.Duplicates, r.Lost, r.Late, r.Commits, len(r.Pauses), r.Pause(0.5), r.Pause(0.99), r.Pause(1), len(r.Unowned), overlap)
}
