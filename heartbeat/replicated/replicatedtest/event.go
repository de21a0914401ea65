package replicatedtest

import (
	"fmt"
	"time"
)

// eventKind says what happened in an event.
type eventKind uint8

const (
	// eventStarted: a processor starts, or restarts, at Position.
	eventStarted eventKind = iota + 1
	// eventProcessed: it has processed record number Position.
	eventProcessed
	// eventCommitted: the store has accepted Position, the next record to do.
	eventCommitted
	// eventCancelled: its context was cancelled. What it does after that does not count.
	eventCancelled
	// eventReturned: it has returned.
	eventReturned
	// eventGone: the member's process was killed or frozen. Shard is empty. The member
	// owns its shards until its leases end or a new process has its name.
	eventGone
	// eventJoined: a new process of this name starts. Shard is empty. The ledger needs this
	// event only after eventGone.
	eventJoined
	// eventLostWrites: the store has lost writes that it had acknowledged. Epochs and
	// positions may be lower after that.
	eventLostWrites
	// eventDeleted: the group is deleted and made anew. Positions start again from zero.
	// Epochs still rise, and no shard has two owners.
	eventDeleted
)

var eventNames = [...]string{"", "started", "processed", "committed", "cancelled", "returned", "gone", "joined", "lost-writes", "deleted"}

func (k eventKind) String() string {
	if k == 0 || int(k) >= len(eventNames) {
		return fmt.Sprintf("eventKind(%d)", uint8(k))
	}
	return eventNames[k]
}

// event is one entry of a ledger: something that a processor did, or that happened to its
// process.
type event struct {
	Kind eventKind
	At   time.Time
	// Member and Instance name the process.
	Member   string
	Instance uint64
	// Shard, as shardset.ID.String writes it, and Epoch name the grant.
	Shard string
	Epoch uint64
	// NotAfter is the end of the lease as the member knows it at the time. Zero: unknown.
	NotAfter time.Time
	// Position is the number of a record, from 0.
	Position uint64
}
