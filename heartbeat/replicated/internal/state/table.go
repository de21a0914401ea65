package state

import (
	"github.com/klauspost/compress/s2"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// table is a document in columns. It is enough to answer heartbeats. It is much cheaper to make than a
// Group, because it has no maps and no counts.
type table struct {
	format     byte
	deleted    bool
	born, void uint64
	owned      []int // how many shards each member owns; ReadVersion sets it
	members    int   // how many members there are, without former ones; ReadVersion sets it
	group.State
}

const (
	flagDeleted = 1
	flagOrdered = 2
)

// encode returns the table in the form that parse reads.
func (t *table) encode() []byte {
	flags := byte(0)
	if t.Ordered {
		flags |= flagOrdered
	}
	if t.deleted {
		flags |= flagDeleted
	}
	return append([]byte{t.format, min(leastReader, t.format), flags}, s2.Encode(nil, t.columns())...)
}

func (t *table) columns() []byte {
	b := make([]byte, 0, 256+24*len(t.Names)+8*len(t.Shards))
	b = appendNumber(b, t.born)
	b = appendNumber(b, t.void)
	b = appendNumber(b, t.FirstEpoch)
	b = appendNumber(b, uint64(t.TTL))
	b = appendNumber(b, uint64(t.FormerTTL))
	b = appendSigned(b, int64(t.Generation-t.FirstEpoch))
	b = t.appendGeneration(b, t.Change.Since)
	if t.Change.Since != 0 {
		b = appendNumber(appendNumber(b, uint64(t.Change.Shortest)), uint64(t.Change.Longest))
	}

	b = appendNumber(b, uint64(len(t.Instances)))
	b = appendNumber(b, uint64(len(t.Names)-len(t.Instances)))
	for _, name := range t.Names {
		b = appendText(b, name)
	}
	last := uint64(0)
	for _, instance := range t.Instances {
		b = appendSigned(b, int64(instance-last))
		last = instance
	}
	for i, w := range t.Weights {
		n := uint64(w) << 1
		if t.Former[i] {
			n |= 1
		}
		b = appendNumber(b, n)
	}
	b = appendIDs(b, len(t.IDs), func(i int) shardset.ID { return t.IDs[i] })
	b = t.shardColumns(b)
	b = appendNumber(b, uint64(len(t.Parents)))
	for _, l := range t.Parents {
		b = appendNumber(appendNumber(b, uint64(l.Child)), uint64(len(l.Parents)))
		for _, p := range l.Parents {
			b = appendNumber(b, uint64(p))
		}
	}
	return t.removedColumns(b)
}

// shardColumns appends the shards column by column, because equal values side by side compress well.
func (t *table) shardColumns(b []byte) []byte {
	for _, s := range t.Shards {
		state := byte(s.State)
		if s.Complete {
			state |= completeBit
		}
		b = append(b, state)
	}
	for _, s := range t.Shards {
		if s.Owned() {
			b = appendNumber(b, uint64(s.Owner))
		}
	}
	for _, s := range t.Shards {
		switch {
		case s.State == group.StateTransfer:
			b = appendNumber(b, uint64(s.Next))
		case !s.Owned():
			b = appendNumber(b, uint64(s.Last))
		}
	}
	last := t.FirstEpoch
	for _, s := range t.Shards {
		b = appendSigned(b, int64(s.Epoch-last))
		last = s.Epoch
	}
	for _, s := range t.Shards {
		if s.Owned() {
			b = t.appendGeneration(b, s.Granted)
		}
		if s.State == group.StateTransfer {
			b = t.appendGeneration(b, s.Revoked)
		}
	}
	return b
}

// completeBit marks the state of a complete shard.
const completeBit = 1 << 4

// appendGeneration appends an earlier generation as its distance from the newest one, plus one. Zero
// stands for no generation.
func (t *table) appendGeneration(b []byte, g uint64) []byte {
	if g == 0 {
		return appendNumber(b, 0)
	}
	return appendNumber(b, t.Generation-g+1)
}

func (t *table) removedColumns(b []byte) []byte {
	b = appendIDs(b, len(t.Removed), func(i int) shardset.ID { return t.Removed[i].ID })
	for _, s := range t.Removed {
		closed := byte(0)
		if s.Closed {
			closed = 1
		}
		b = append(b, closed)
		b = appendSigned(b, int64(s.Epoch-t.FirstEpoch))
		b = t.appendGeneration(b, s.Granted)
		b = appendNumber(b, uint64(s.Holder))
	}
	return b
}
