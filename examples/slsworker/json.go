package main

import (
	"encoding/base64"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

// appendBatch appends the line of a batch.
func appendBatch(b []byte, member string, of *batch.Batch[slslog.Group], at time.Time, c contents) []byte {
	b = append(b, `{"at":"`...)
	b = at.UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","member":`...)
	b = appendText(b, member)
	b = append(b, `,"shard":`...)
	b = strconv.AppendInt(b, int64(of.ID().Number), 10)
	b = append(b, `,"epoch":`...)
	b = strconv.AppendUint(b, of.Lease().Epoch, 10)
	b = append(b, `,"cursor":`...)
	b = appendText(b, string(of.From))
	b = append(b, `,"next":`...)
	b = appendText(b, string(of.Next))
	b = append(b, `,"groups":`...)
	b = strconv.AppendInt(b, int64(c.groups), 10)
	b = append(b, `,"logs":`...)
	b = strconv.AppendInt(b, int64(c.logs), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, c.bytes, 10)
	if c.stamped {
		b = append(b, `,"wait_ms_max":`...)
		b = strconv.AppendFloat(b, float64(c.wait)/float64(time.Millisecond), 'f', 3, 64)
	}
	return append(b, "}\n"...)
}

// logs appends a line for each log of a group of the batch, and writes when it is time.
func (p *page) logs(of *batch.Batch[slslog.Group], g slslog.Group) error {
	cursor := of.From
	if n, ok := g.Cursor(); ok {
		cursor = cursorOf(n)
	}
	var same []byte // what the lines of the group have in common
	same = append(same, `,"shard":`...)
	same = strconv.AppendInt(same, int64(of.ID().Number), 10)
	same = append(same, `,"cursor":`...)
	same = appendText(same, string(cursor))
	same = append(same, `,"topic":`...)
	same = appendText(same, g.Topic())
	same = append(same, `,"source":`...)
	same = appendText(same, g.Source())
	same = append(same, `,"tags":`...)
	same = appendPairs(same, g.Tags())
	for log := range g.Logs() {
		p.b = append(p.b, `{"time":"`...)
		p.b = log.Time().UTC().AppendFormat(p.b, time.RFC3339Nano)
		p.b = append(p.b, '"')
		p.b = append(p.b, same...)
		p.b = append(p.b, `,"contents":`...)
		p.b = appendPairs(p.b, log.Contents())
		p.b = append(p.b, "}\n"...)
		if len(p.b) < chunkBytes {
			continue
		}
		if err := p.flush(); err != nil {
			return err
		}
	}
	return nil
}

// cursorOf is the service's cursor with a number.
func cursorOf(n int64) processor.Position {
	return processor.Position(base64.StdEncoding.EncodeToString(strconv.AppendInt(nil, n, 10)))
}

// appendPairs appends keys and values as an object.
func appendPairs(b []byte, pairs func(yield func(key, value []byte) bool)) []byte {
	b = append(b, '{')
	first := true
	for key, value := range pairs {
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendText(b, key)
		b = append(b, ':')
		b = appendValue(b, value)
	}
	return append(b, '}')
}

// appendValue appends a value: a string, or an object if it is not UTF-8.
func appendValue(b, value []byte) []byte {
	if utf8.Valid(value) {
		return appendText(b, value)
	}
	b = append(b, `{"base64":"`...)
	b = base64.StdEncoding.AppendEncode(b, value)
	return append(b, `"}`...)
}

// appendText appends a string. What is not UTF-8 in it becomes U+FFFD.
func appendText[T string | []byte](b []byte, s T) []byte {
	b = append(b, '"')
	done := 0 // so much of s is appended
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
				b = append(b, s[done:i]...)
				b = appendEscape(b, c)
				done = i + 1
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(string(s[i:min(i+utf8.UTFMax, len(s))]))
		if r == utf8.RuneError && size == 1 {
			b = append(b, s[done:i]...)
			b = append(b, "\uFFFD"...)
			done = i + 1
		}
		i += size
	}
	b = append(b, s[done:]...)
	return append(b, '"')
}

func appendEscape(b []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, `\n`...)
	case '\r':
		return append(b, `\r`...)
	case '\t':
		return append(b, `\t`...)
	}
	return append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}
