package group

import (
	"fmt"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/rollcall-go/rollcall/shardset"
)

// table is a document taken apart, as columns. It is what an answer needs, without the
// maps and counts of a Group, and cheap enough to be made from every version.
type table struct {
	void       uint64
	firstEpoch uint64
	ttl        time.Duration
	ordered    bool
	generation uint64

	// The members, sorted; behind them names that are no members any more, to which
	// free shards belonged.
	names     []string
	instances []uint64 // of the members, so it says how many there are
	weights   []int
	owned     []int // how many shards each member owns; set by shares

	ids     []shardset.ID
	rows    []row
	parents []lineage
	retired []retiredRow
}

// row is one shard. Members are their places in table.names plus one; zero: none.
type row struct {
	epoch       uint64
	granted     uint64
	revoked     uint64
	owner, next int32
	last        int32 // of a shard that nobody owns
	state       State
	done        bool
}

type lineage struct {
	child   int
	parents []int32
}

type retiredRow struct {
	id             shardset.ID
	epoch, granted uint64
	holder         int
	over           bool
}

const (
	documentFormat = 1

	flagDeleted = 1
	flagOrdered = 2

	// maxDocument bounds what a few compressed bytes can grow to. A group of 1,000 members
	// and 10,000 shards takes some 200 KB.
	maxDocument = 16 << 20

	// minTTL is the least TTL of a document. One below has lost its unit, or is damaged.
	minTTL = time.Millisecond
)

// encode returns the table in the form that parse reads.
func (t *table) encode() []byte {
	flags := byte(0)
	if t.ordered {
		flags |= flagOrdered
	}
	return append([]byte{documentFormat, flags}, s2.Encode(nil, t.columns())...)
}

func (t *table) columns() []byte {
	b := make([]byte, 0, 256+24*len(t.names)+8*len(t.rows))
	b = appendNumber(b, t.void)
	b = appendNumber(b, t.firstEpoch)
	b = appendNumber(b, uint64(t.ttl))
	b = appendSigned(b, int64(t.generation-t.firstEpoch))

	b = appendNumber(b, uint64(len(t.instances)))
	b = appendNumber(b, uint64(len(t.names)-len(t.instances)))
	for _, name := range t.names {
		b = appendText(b, name)
	}
	last := uint64(0)
	for _, instance := range t.instances {
		b = appendSigned(b, int64(instance-last))
		last = instance
	}
	for _, w := range t.weights {
		b = appendNumber(b, uint64(w))
	}
	b = appendIDs(b, len(t.ids), func(i int) shardset.ID { return t.ids[i] })
	b = t.shardColumns(b)
	b = appendNumber(b, uint64(len(t.parents)))
	for _, l := range t.parents {
		b = appendNumber(appendNumber(b, uint64(l.child)), uint64(len(l.parents)))
		for _, p := range l.parents {
			b = appendNumber(b, uint64(p))
		}
	}
	return t.retiredColumns(b)
}

// shardColumns writes each property of all shards together, because the values of one
// property are much alike.
func (t *table) shardColumns(b []byte) []byte {
	for _, s := range t.rows {
		state := byte(s.state)
		if s.done {
			state |= doneBit
		}
		b = append(b, state)
	}
	for _, s := range t.rows {
		if s.owned() {
			b = appendNumber(b, uint64(s.owner))
		}
	}
	for _, s := range t.rows {
		switch {
		case s.state == StateTransfer:
			b = appendNumber(b, uint64(s.next))
		case !s.owned():
			b = appendNumber(b, uint64(s.last))
		}
	}
	last := t.firstEpoch
	for _, s := range t.rows {
		b = appendSigned(b, int64(s.epoch-last))
		last = s.epoch
	}
	for _, s := range t.rows {
		if s.owned() {
			b = t.appendGeneration(b, s.granted)
		}
		if s.state == StateTransfer {
			b = t.appendGeneration(b, s.revoked)
		}
	}
	return b
}

// doneBit marks the state of a shard that its owner has done.
const doneBit = 1 << 4

func (s *row) owned() bool { return s.state == StateHeld || s.state == StateTransfer }

// appendGeneration writes an earlier generation, or zero for none.
func (t *table) appendGeneration(b []byte, g uint64) []byte {
	if g == 0 {
		return appendNumber(b, 0)
	}
	return appendNumber(b, t.generation-g+1)
}

func (r *reader) generation(now uint64) uint64 {
	ago := r.number()
	if ago == 0 {
		return 0
	}
	if ago-1 >= now {
		r.fail("a generation lies %d before %d", ago-1, now)
		return 0
	}
	return now - (ago - 1)
}

func (t *table) retiredColumns(b []byte) []byte {
	b = appendIDs(b, len(t.retired), func(i int) shardset.ID { return t.retired[i].id })
	for _, s := range t.retired {
		over := byte(0)
		if s.over {
			over = 1
		}
		b = append(b, over)
		b = appendSigned(b, int64(s.epoch-t.firstEpoch))
		b = t.appendGeneration(b, s.granted)
		b = appendNumber(b, uint64(s.holder))
	}
	return b
}

// parse reads a document that is not a deleted one.
func parse(data []byte) (*table, error) {
	if len(data) < 2 || data[0] != documentFormat {
		return nil, fmt.Errorf("document: the format is not %d", documentFormat)
	}
	if n, err := s2.DecodedLen(data[2:]); err != nil || n > maxDocument {
		return nil, fmt.Errorf("document: %w: it is said to be %d bytes long", errMangled, n)
	}
	raw, err := s2.Decode(nil, data[2:])
	if err != nil {
		return nil, fmt.Errorf("document: %w: %w", errMangled, err)
	}
	r := &reader{rest: raw}
	t := &table{
		ordered: data[1]&flagOrdered != 0,
		void:    r.number(), firstEpoch: r.number(), ttl: time.Duration(r.number()),
	}
	t.generation = t.firstEpoch + uint64(r.signed())
	if t.ttl < minTTL {
		r.fail("the TTL is %v", t.ttl)
	}
	t.readMembers(r)
	t.ids = r.ids()
	t.readShards(r)
	t.readParents(r)
	t.readRetired(r)
	if highest := t.highest(); max(highest, t.void) > 2*MaxEpoch {
		r.fail("the highest epoch or generation is %d", max(highest, t.void))
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("document: %w", err)
	}
	return t, nil
}

// highest returns the highest epoch or generation of the group.
func (t *table) highest() uint64 {
	highest := max(t.generation, t.firstEpoch)
	for i := range t.rows {
		highest = max(highest, t.rows[i].epoch)
	}
	for i := range t.retired {
		highest = max(highest, t.retired[i].epoch)
	}
	return highest
}

func (t *table) readMembers(r *reader) {
	n, ghosts := r.count(1), r.count(1)
	for range n + ghosts {
		t.names = append(t.names, r.text())
	}
	last := uint64(0)
	for i := range n {
		last += uint64(r.signed())
		t.instances = append(t.instances, last)
		if i > 0 && r.err == nil && t.names[i-1] >= t.names[i] {
			r.fail("members %q and %q are out of order", t.names[i-1], t.names[i])
		}
	}
	for range n {
		t.weights = append(t.weights, r.below(shardset.MaxWeight+1))
	}
}

func (t *table) readShards(r *reader) {
	members, names := len(t.instances), len(t.names)
	t.rows = make([]row, len(t.ids))
	for i := range t.rows {
		if i > 0 && t.ids[i-1].Compare(t.ids[i]) >= 0 {
			r.fail("shards %s and %s are out of order", t.ids[i-1], t.ids[i])
		}
		b, s := r.byte(), &t.rows[i]
		s.state, s.done = State(b&^doneBit), b&doneBit != 0
		if r.err == nil && (s.state < StateWait || s.state > StateOver || s.done && !s.owned()) {
			r.fail("shard %s has the state %d", t.ids[i], b)
		}
	}
	for i := range t.rows {
		if s := &t.rows[i]; s.owned() {
			if s.owner = int32(r.below(members + 1)); s.owner == 0 {
				r.fail("shard %s is %s by nobody", t.ids[i], s.state)
			}
		}
	}
	for i := range t.rows {
		switch s := &t.rows[i]; {
		case s.state == StateTransfer:
			if s.next = int32(r.below(members + 1)); s.next == s.owner {
				r.fail("shard %s moves to its owner", t.ids[i])
			}
		case !s.owned():
			s.last = int32(r.below(names + 1))
		}
	}
	last := t.firstEpoch
	for i := range t.rows {
		last += uint64(r.signed())
		t.rows[i].epoch = last
	}
	for i := range t.rows {
		s := &t.rows[i]
		if s.owned() {
			s.granted = r.generation(t.generation)
		}
		if s.state == StateTransfer {
			s.revoked = r.generation(t.generation)
		}
	}
}

func (t *table) readParents(r *reader) {
	for range r.count(2) {
		l := lineage{child: r.below(len(t.rows))}
		for range r.count(1) {
			l.parents = append(l.parents, int32(r.below(len(t.rows))))
		}
		t.parents = append(t.parents, l)
	}
}

func (t *table) readRetired(r *reader) {
	for _, id := range r.ids() {
		t.retired = append(t.retired, retiredRow{
			id: id, over: r.byte() == 1, epoch: t.firstEpoch + uint64(r.signed()),
			granted: r.generation(t.generation), holder: r.below(len(t.instances) + 1),
		})
	}
}
