package replicatedtest

import (
	"fmt"
	"strings"
	"time"
)

// EventKind says what an Event tells.
type EventKind uint8

const (
	// EventStarted: a processor begins, or begins again, at Position.
	EventStarted EventKind = iota + 1
	// EventProcessed: it has done the record of number Position.
	EventProcessed
	// EventCommitted: the store has accepted Position, the next record to do.
	EventCommitted
	// EventCancelled: its context was cancelled; it does nothing more that counts.
	EventCancelled
	// EventReturned: it has returned.
	EventReturned
	// EventGone: the member's process was killed or frozen. It has no shard. What the
	// member had stays its own until its leases end, or a new process has its name.
	EventGone
	// EventJoined: a new process of this name begins. It has no shard, and is needed only
	// after EventGone.
	EventJoined
	// EventLostWrites: the store has lost writes that it had acknowledged. From then on
	// epochs and positions may begin again from lower ones.
	EventLostWrites
	// EventDeleted: the group is deleted, and made anew. From then on positions begin again,
	// but epochs go on, and no shard has two owners.
	EventDeleted
)

var eventNames = [...]string{"", "started", "processed", "committed", "cancelled", "returned", "gone", "joined", "lost-writes", "deleted"}

func (k EventKind) String() string {
	if k == 0 || int(k) >= len(eventNames) {
		return fmt.Sprintf("EventKind(%d)", uint8(k))
	}
	return eventNames[k]
}

// Event is one line of a Ledger: something that a processor did, or that befell its
// process.
type Event struct {
	Kind EventKind
	// At is when it was. Processes of one machine have one clock; those of several
	// have to be within LedgerConfig.Skew.
	At time.Time
	// Member and Instance say who.
	Member   string
	Instance uint64
	// Shard, as shardset.ID.String writes it, and Epoch say under which grant.
	Shard string
	Epoch uint64
	// NotAfter is when the lease ends, as the member knows it at the time. Zero: it
	// is not said.
	NotAfter time.Time
	// Position is a record's number, from 0.
	Position uint64
}

// lineEnd shows that a line was written to its end.
const lineEnd = " ."

// String writes an event as one line, which ParseEvent reads.
func (e Event) String() string {
	notAfter := int64(0)
	if !e.NotAfter.IsZero() {
		notAfter = e.NotAfter.UnixNano()
	}
	return fmt.Sprintf("ledger %s %d %q %d %q %d %d %d"+lineEnd,
		e.Kind, e.At.UnixNano(), e.Member, e.Instance, e.Shard, e.Epoch, notAfter, e.Position)
}

// ParseEvent reads a line that Event.String wrote. It returns false for any other, and
// for one that was not written to its end, as the last one of a killed process.
func ParseEvent(line string) (Event, bool) {
	var e Event
	var kind string
	var at, notAfter int64
	line, whole := strings.CutSuffix(strings.TrimRight(line, "\r\n"), lineEnd)
	n, err := fmt.Sscanf(line, "ledger %s %d %q %d %q %d %d %d",
		&kind, &at, &e.Member, &e.Instance, &e.Shard, &e.Epoch, &notAfter, &e.Position)
	if !whole || n != 8 || err != nil {
		return Event{}, false
	}
	for k, name := range eventNames {
		if name == kind {
			e.Kind = EventKind(k)
		}
	}
	e.At = time.Unix(0, at)
	if notAfter != 0 {
		e.NotAfter = time.Unix(0, notAfter)
	}
	return e, e.Kind != 0
}
