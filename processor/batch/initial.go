package batch

import "time"

// Initial is where to begin in a shard without a position: Earliest, Latest or At a time. The
// zero value is none of them. Compare it with == to Earliest() and Latest().
type Initial struct {
	kind initialKind
	time time.Time
}

type initialKind uint8

const (
	initialEarliest initialKind = iota + 1
	initialLatest
	initialTime
)

// Earliest is the oldest item that the shard still has.
func Earliest() Initial { return Initial{kind: initialEarliest} }

// Latest is the end of the shard at the moment of opening. A source that knows when the group was
// first started takes the end at that time.
func Latest() Initial { return Initial{kind: initialLatest} }

// At is the first item that the service received at t or later. If t is in the future, nothing is
// read until then.
func At(t time.Time) Initial { return Initial{kind: initialTime, time: t} }

// Time returns the time of an At, and whether i is one.
func (i Initial) Time() (time.Time, bool) { return i.time, i.kind == initialTime }

func (i Initial) String() string {
	switch i.kind {
	case initialEarliest:
		return "earliest"
	case initialLatest:
		return "latest"
	case initialTime:
		return i.time.Format(time.RFC3339Nano)
	}
	return "none"
}
