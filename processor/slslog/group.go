package slslog

import (
	"bytes"
	"iter"
)

// groupBytes is the memory of a Group value.
const groupBytes = 96

// Group is a log group: a view into a page, valid until the handler returns; see the package
// comment. The zero value is an empty group.
type Group struct {
	body          []byte
	topic, source []byte
	logs          int
	cursor        int64
	numbered      bool // cursor is known
}

// Len returns how many logs the group has.
func (g Group) Len() int { return g.logs }

// Size returns how many bytes the group takes in the page.
func (g Group) Size() int { return len(g.body) }

// Topic returns the group's topic; nil if it has none.
func (g Group) Topic() []byte { return g.topic }

// Source returns the source that the group names, mostly an address; nil if it names none.
func (g Group) Source() []byte { return g.source }

// MachineUUID returns the identity of the machine that wrote the group; nil if it has none. Each call
// searches the group.
func (g Group) MachineUUID() []byte { return g.last(groupMachine) }

// Logs returns the logs in their order.
func (g Group) Logs() iter.Seq[Log] {
	b := g.body
	return func(yield func(Log) bool) { logs(b, yield) }
}

// Tags returns the keys and values of the tags in their order. A key may occur twice.
func (g Group) Tags() iter.Seq2[[]byte, []byte] {
	b := g.body
	return func(yield func(key, value []byte) bool) { pairs(b, groupTag, yield) }
}

// Tag returns the value of the first tag with that key.
func (g Group) Tag(key string) (value []byte, ok bool) { return lookup(g.body, groupTag, key) }

// Cursor returns the number of the group in its shard, and whether it is known; with a query it is
// not. Consecutive groups have consecutive numbers. A cursor of the service is this number in base64.
func (g Group) Cursor() (number int64, ok bool) { return g.cursor, g.numbered }

// Clone returns a copy with its own memory. It stays valid.
func (g Group) Clone() Group {
	c, _ := parseGroup(bytes.Clone(g.body), 0) // checked before
	c.cursor, c.numbered = g.cursor, g.numbered
	return c
}

// last returns the payload of the last field with a number.
func (g Group) last(number byte) (p []byte) {
	for i := 0; i < len(g.body); {
		q, end, ok := nested(g.body, i, number)
		if !ok {
			return p
		}
		if q != nil {
			p = q
		}
		i = end
	}
	return p
}

// setCursors sets the cursors of the groups of a page from that of the last one, which is all that the
// service sends.
func setCursors(groups []Group, last int64) {
	first := last - int64(len(groups)) + 1
	for i := range groups {
		groups[i].cursor, groups[i].numbered = first+int64(i), true
	}
}

// logs calls yield for each log of a group.
func logs(b []byte, yield func(Log) bool) {
	for i := 0; i < len(b); {
		p, end, ok := nested(b, i, groupLog)
		if !ok {
			return
		}
		if p != nil && !yield(Log{body: p}) {
			return
		}
		i = end
	}
}
