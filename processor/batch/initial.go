package batch

import "time"

// Initial says where to begin in a shard without a position: Earliest, Latest or At a time. The zero
// value is none of them. An Initial can be compared with == to Earliest() and Latest().
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

// Earliest begins at the oldest item that the shard still has.
func Earliest() Initial { return Initial{kind: initialEarliest} }

// Latest begins at the end that the shard has when it is opened. A source that knows when the group
// first started takes the end at that time instead.
func Latest() Initial { return Initial{kind: initialLatest} }

// At begins at the first item that the service received at t or later. If t is in the future, nothing
// is read until then.
func At(t time.Time) Initial { return Initial{kind: initialTime, time: t} }

// Time returns the time that was passed to At. ok is false if i was not made with At.
func (i Initial) Time() (t time.Time, ok bool) { return i.time, i.kind == initialTime }

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
