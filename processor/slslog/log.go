package slslog

import (
	"bytes"
	"encoding/binary"
	"iter"
	"time"
)

// Log is one log. It is a view into a page, and valid until the handler returns: see the package
// comment. The zero value is a log of 1970 without contents.
type Log struct {
	body []byte
}

// Time returns the time of the log, as its producer has set it. It has nanoseconds if the producer has
// sent them. Each call searches the log, because the nanoseconds come after the contents.
func (l Log) Time() time.Time {
	seconds, nanos := l.stamp()
	return time.Unix(int64(seconds), int64(nanos))
}

// Contents returns the keys and values of the log in their order. A key may occur twice.
func (l Log) Contents() iter.Seq2[[]byte, []byte] {
	b := l.body
	return func(yield func(key, value []byte) bool) { pairs(b, logContent, yield) }
}

// Value returns the value of the first content with that key.
func (l Log) Value(key string) (value []byte, ok bool) { return lookup(l.body, logContent, key) }

// Size returns how many bytes the log takes in the page.
func (l Log) Size() int { return len(l.body) }

// Clone returns a copy with its own memory, which stays valid.
func (l Log) Clone() Log { return Log{body: bytes.Clone(l.body)} }

// stamp returns the two parts of the time as they are encoded.
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
			seconds = uint32(v) // protobuf drops the bits above 32
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
		if string(k) == key { // the conversion does not allocate
			value, ok = v, true
		}
		return !ok
	})
	return value, ok
}
