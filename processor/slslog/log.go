package slslog

import (
	"bytes"
	"encoding/binary"
	"iter"
	"time"
)

// Log is one log: a view into a page, see the package's description. The zero value is
// a log of 1970 without contents.
type Log struct {
	body []byte
}

// Time returns when the log says it was written, to the nanosecond if it says so. It is
// looked for at each call: the part below the second comes after the contents.
func (l Log) Time() time.Time {
	seconds, nanos := l.stamp()
	return time.Unix(int64(seconds), int64(nanos))
}

// Contents returns the keys and values in their order. A key may come twice.
func (l Log) Contents() iter.Seq2[[]byte, []byte] {
	b := l.body
	return func(yield func(key, value []byte) bool) { pairs(b, logContent, yield) }
}

// Value returns the value of the first content with that key.
func (l Log) Value(key string) (value []byte, ok bool) { return lookup(l.body, logContent, key) }

// Size returns how many bytes the log takes in the page.
func (l Log) Size() int { return len(l.body) }

// Clone returns a copy that has memory of its own, and is valid for ever.
func (l Log) Clone() Log { return Log{body: bytes.Clone(l.body)} }

// stamp returns the two parts of the time as they are written.
func (l Log) stamp() (seconds, nanos uint32) {
	b := l.body
	for i := 0; i < len(b); {
		if b[i] == tagBytes(logContent) {
			if _, end, ok := payload(b, i); ok {
				i = end
				continue
			}
		}
		f, r := next(b, i)
		if r != 0 {
			break
		}
		switch {
		case f.number == logTime && f.wire == wireVarint:
			v, _, _ := uvarint(b, f.start)
			seconds = uint32(v) // as protobuf has it: what is above 32 bits is dropped
		case f.number == logTimeNs && f.wire == wireFixed32:
			nanos = binary.LittleEndian.Uint32(b[f.start:])
		}
		i = f.end
	}
	return seconds, nanos
}

// lookup returns the value of the first content or tag with that key.
func lookup(b []byte, number byte, key string) (value []byte, ok bool) {
	pairs(b, number, func(k, v []byte) bool {
		if string(k) == key { // compares, and converts nothing
			value, ok = v, true
		}
		return !ok
	})
	return value, ok
}
