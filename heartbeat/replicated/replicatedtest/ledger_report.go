package replicatedtest

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Report says what the members of a Crowd have done, and which promises were broken.
type Report struct {
	// Faults lists the broken promises, each with the events that broke it: a shard had two
	// owners at once; an epoch was granted twice, or was lower than the one before; a
	// checkpoint went back; a record was committed and never processed; a processor did
	// something before its start. The list has 100 entries at most.
	Faults []string

	Starts     int // processors that were started, restarts included
	Records    int // records processed, duplicates included
	Duplicates int // records processed again
	Lost       int // records committed and never processed
	Commits    int // commits that the store accepted
	// Late counts records that were processed after the end of the lease, as the member
	// knew it. A frozen process may finish one when it wakes, which is no fault.
	Late int

	// Overlap is the longest time for which a shard had two owners: one from before the
	// store lost writes, and one from after the loss.
	Overlap time.Duration

	// Unowned are the shards that no processor worked on at the end.
	Unowned []string

	pauses []pause // the longest first
}

// pause is a time when no processor worked on a shard, after its first start.
type pause struct {
	shard    string
	from, to time.Time
}

func (p pause) length() time.Duration { return p.to.Sub(p.from) }

const maxFaults = 100

func (r *Report) fault(format string, args ...any) {
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

// err returns an error that lists the broken promises, or nil if there are none.
func (r Report) err() error {
	if len(r.Faults) == 0 {
		return nil
	}
	return fmt.Errorf("%d promises were broken:\n\t%s", len(r.Faults), strings.Join(r.Faults, "\n\t"))
}

// pause returns a quantile of the pauses' lengths: 0.5 is the median, 1 the longest. It is
// zero if there was no pause.
func (r Report) pause(part float64) time.Duration {
	n := len(r.pauses)
	if n == 0 {
		return 0
	}
	rank := int(math.Ceil(part * float64(n))) // from 1, the shortest
	return r.pauses[n-min(max(rank, 1), n)].length()
}

func (r Report) String() string {
	overlap := ""
	if r.Overlap > 0 {
		overlap = fmt.Sprintf(", overlap %v", r.Overlap)
	}
	return fmt.Sprintf("%d starts, %d records, %d duplicates, %d lost, %d late, %d commits, %d pauses (p50 %v, p99 %v, max %v), %d shards unowned%s",
		r.Starts, r.Records, r.Duplicates, r.Lost, r.Late, r.Commits, len(r.pauses), r.pause(0.5), r.pause(0.99), r.pause(1), len(r.Unowned), overlap)
}
