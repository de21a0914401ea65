package slslog

import (
	"encoding/binary"
	"math"
	"math/bits"
	"time"
)

// Content is one key and value of a log, for Builder.AddLog.
type Content struct {
	Key   string
	Value []byte
}

// Builder encodes one log group. If an addition would break a limit of the service, it returns a
// *LimitError and the group does not change. The zero value is an empty group, ready to use. A Builder
// is not safe for concurrent use.
type Builder struct {
	b      []byte // the encoded logs; Bytes uses the rest of its capacity
	tags   []byte
	topic  string
	source string
	logs   int
}

// SetTopic sets the topic. Empty means none.
func (b *Builder) SetTopic(topic string) error {
	if err := b.fits(stringField(topic) - stringField(b.topic)); err != nil {
		return err
	}
	b.topic = topic
	return nil
}

// SetSource sets the source of the group, usually the address of this machine. Empty means none.
func (b *Builder) SetSource(source string) error {
	if err := b.fits(stringField(source) - stringField(b.source)); err != nil {
		return err
	}
	b.source = source
	return nil
}

// AddTag appends a tag, which holds for all logs of the group.
func (b *Builder) AddTag(key, value string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	size := bytesField(len(key)) + bytesField(len(value))
	if err := b.fits(bytesField(size)); err != nil {
		return err
	}
	b.tags = appendLength(b.tags, groupTag, size)
	b.tags = append(appendLength(b.tags, pairKey, len(key)), key...)
	b.tags = append(appendLength(b.tags, pairValue, len(value)), value...)
	return nil
}

// AddLog appends a log. The error is a *LimitError or ErrLogTime. AddLog does not check the age: the
// service refuses logs that are older than a week, or more than 15 minutes in the future.
func (b *Builder) AddLog(at time.Time, contents ...Content) error {
	seconds, nanos := at.Unix(), at.Nanosecond()
	if seconds < 0 || seconds > math.MaxUint32 {
		return ErrLogTime
	}
	size := 1 + uvarintSize(uint64(seconds))
	for i := range contents {
		if err := checkKey(contents[i].Key); err != nil {
			return err
		}
		size += bytesField(contents[i].size())
	}
	if nanos != 0 {
		size += 1 + 4
	}
	if size > MaxLogBytes {
		return &LimitError{What: "log", Size: size, Max: MaxLogBytes}
	}
	if err := b.fits(bytesField(size)); err != nil {
		return err
	}
	out := appendLength(b.b, groupLog, size)
	out = binary.AppendUvarint(append(out, logTime<<3|wireVarint), uint64(seconds))
	for i := range contents {
		c := &contents[i]
		out = appendLength(out, logContent, c.size())
		out = append(appendLength(out, pairKey, len(c.Key)), c.Key...)
		out = append(appendLength(out, pairValue, len(c.Value)), c.Value...)
	}
	if nanos != 0 {
		out = binary.LittleEndian.AppendUint32(append(out, logTimeNs<<3|wireFixed32), uint32(nanos))
	}
	b.b = out
	b.logs++
	return nil
}

// Len returns how many logs the group has.
func (b *Builder) Len() int { return b.logs }

// Size returns the length of the encoded group, in bytes.
func (b *Builder) Size() int {
	return len(b.b) + stringField(b.topic) + stringField(b.source) + len(b.tags)
}

// Bytes returns the encoded group. The slice is valid until the next method call. The group is not
// finished: more can be added.
func (b *Builder) Bytes() []byte {
	out := appendString(b.b, groupTopic, b.topic)
	out = appendString(out, groupSource, b.source)
	out = append(out, b.tags...)
	b.b = out[:len(b.b)]
	return out
}

// Reset empties the group and keeps its memory for the next one.
func (b *Builder) Reset() {
	*b = Builder{b: b.b[:0], tags: b.tags[:0]}
}

// fits returns a *LimitError if the group cannot grow by that many bytes.
func (b *Builder) fits(more int) error {
	if size := b.Size() + more; size > MaxGroupBytes {
		return &LimitError{What: "log group", Size: size, Max: MaxGroupBytes, GroupFull: true}
	}
	return nil
}

func (c *Content) size() int { return bytesField(len(c.Key)) + bytesField(len(c.Value)) }

func checkKey(key string) error {
	if len(key) > MaxKeyBytes {
		return &LimitError{What: "key", Size: len(key), Max: MaxKeyBytes}
	}
	return nil
}

// bytesField is the size of a length-delimited field with a payload of n bytes.
func bytesField(n int) int { return 1 + uvarintSize(uint64(n)) + n }

// stringField is the size of an optional string, which is left out if it is empty.
func stringField(s string) int {
	if s == "" {
		return 0
	}
	return bytesField(len(s))
}

func uvarintSize(v uint64) int { return (bits.Len64(v|1) + 6) / 7 }

func appendString(b []byte, number byte, s string) []byte {
	if s == "" {
		return b
	}
	return append(appendLength(b, number, len(s)), s...)
}

// appendLength appends the tag and the length of a length-delimited field.
func appendLength(b []byte, number byte, n int) []byte {
	return binary.AppendUvarint(append(b, tagBytes(number)), uint64(n))
}
