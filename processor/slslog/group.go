package slslog

import (
	"bytes"
	"iter"
)

// groupBytes is the memory of a Group value.
const groupBytes = 96

// Group is a log group. It is a view into a page, and valid until the handler returns: see the package
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

// Topic returns the topic of the group, or nil if it has none.
func (g Group) Topic() []byte { return g.topic }

// Source returns the source of the group, or nil if it has none. Usually it is the address of a machine.
func (g Group) Source() []byte { return g.source }

// MachineUUID returns the identity of the machine that wrote the group, or nil if the group has none.
// Each call searches the group.
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

// Cursor returns the cursor of the group as a number. Consecutive groups of a shard have consecutive
// numbers. The service writes a cursor as this number in base64. ok is false if the number is unknown,
// as with Options.Query or Options.Processor.
func (g Group) Cursor() (number int64, ok bool) { return g.cursor, g.numbered }

// Clone returns a copy with its own memory, which stays valid.
func (g Group) Clone() Group {
	c, _ := parseGroup(bytes.Clone(g.body), 0) // no error: the body was checked before
	c.cursor, c.numbered = g.cursor, g.numbered
	return c
}

// last returns the payload of the last field with that number.
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

// setCursors numbers the groups of a page. The service sends only the number of the last one.
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
