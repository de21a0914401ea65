package slslog

import (
	"errors"
	"io"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// The twin decodes a page in the simplest way, into plain values, with protowire for everything on the
// wire.

type twinGroup struct {
	topic, source, category, machine string // "-" or "+" and the value
	tags                             []twinPair
	logs                             []twinLog
}

type twinLog struct {
	seconds, nanos uint32
	contents       []twinPair
}

type twinPair struct{ key, value string }

type twinField struct {
	at, body int // offsets in the page, of the field and of its payload
	number   protowire.Number
	wire     protowire.Type
	value    []byte
}

func twinParse(page []byte) ([]twinGroup, error) {
	fields, err := twinFields(page, 0, map[protowire.Number]protowire.Type{1: protowire.BytesType})
	if err != nil {
		return nil, err
	}
	groups := []twinGroup{}
	for _, f := range fields {
		if f.number != 1 {
			continue
		}
		g, err := twinParseGroup(f)
		if err != nil {
			return nil, err
		}
		groups = append(groups, g)
	}
	return groups, nil
}

func twinParseGroup(message twinField) (twinGroup, error) {
	want := map[protowire.Number]protowire.Type{}
	for n := range protowire.Number(6) {
		want[n+1] = protowire.BytesType
	}
	g := twinGroup{topic: "-", source: "-", category: "-", machine: "-"}
	err := twinEach(message, want, func(f twinField) error {
		switch f.number {
		case 1:
			l, err := twinParseLog(f)
			g.logs = append(g.logs, l)
			return err
		case 2:
			g.category = "+" + string(f.value)
		case 3:
			g.topic = "+" + string(f.value)
		case 4:
			g.source = "+" + string(f.value)
		case 5:
			g.machine = "+" + string(f.value)
		case 6:
			p, err := twinParsePair(f)
			g.tags = append(g.tags, p)
			return err
		}
		return nil
	})
	return g, err
}

func twinParseLog(message twinField) (l twinLog, err error) {
	want := map[protowire.Number]protowire.Type{
		1: protowire.VarintType, 2: protowire.BytesType, 4: protowire.Fixed32Type,
	}
	timed := false
	err = twinEach(message, want, func(f twinField) error {
		switch f.number {
		case 1:
			v, _ := protowire.ConsumeVarint(f.value)
			l.seconds, timed = uint32(v&math.MaxUint32), true
		case 2:
			p, err := twinParsePair(f)
			l.contents = append(l.contents, p)
			return err
		case 4:
			l.nanos, _ = protowire.ConsumeFixed32(f.value)
		}
		return nil
	})
	if err == nil && !timed {
		err = &DecodeError{Offset: message.at, reason: noTime}
	}
	return l, err
}

func twinParsePair(message twinField) (p twinPair, err error) {
	var key, value bool
	err = twinEach(message, map[protowire.Number]protowire.Type{
		1: protowire.BytesType, 2: protowire.BytesType,
	}, func(f twinField) error {
		switch f.number {
		case 1:
			p.key, key = string(f.value), true
		case 2:
			p.value, value = string(f.value), true
		}
		return nil
	})
	switch {
	case err != nil:
	case !key:
		err = &DecodeError{Offset: message.at, reason: noKey}
	case !value:
		err = &DecodeError{Offset: message.at, reason: noValue}
	}
	return p, err
}

// twinEach visits the fields before the first one that is wrong.
func twinEach(m twinField, want map[protowire.Number]protowire.Type, visit func(twinField) error) error {
	fields, wrong := twinFields(m.value, m.body, want)
	for _, f := range fields {
		if err := visit(f); err != nil {
			return err
		}
	}
	return wrong
}

func twinFields(b []byte, base int, want map[protowire.Number]protowire.Type) (fields []twinField, err error) {
	for i := 0; i < len(b); {
		fail := func(r reason) ([]twinField, error) {
			return fields, &DecodeError{Offset: base + i, reason: r}
		}
		tag, n := protowire.ConsumeVarint(b[i:])
		if n < 0 {
			return fail(twinReason(n))
		}
		f := twinField{at: base + i, body: base + i + n}
		f.number, f.wire = protowire.DecodeTag(tag)
		if !f.number.IsValid() {
			return fail(badNumber)
		}
		if f.wire == protowire.StartGroupType || f.wire == protowire.EndGroupType {
			return fail(groupWireType)
		}
		rest := b[i+n:]
		size := protowire.ConsumeFieldValue(f.number, f.wire, rest)
		_, prefix := protowire.ConsumeVarint(rest)
		if size < 0 {
			r := twinReason(size)
			if f.wire == protowire.BytesType && r == truncated && prefix > 0 {
				r = beyondEnd
			}
			return fail(r)
		}
		if w, ok := want[f.number]; ok && w != f.wire {
			return fail(badWireType)
		}
		f.value = rest[:size]
		if f.wire == protowire.BytesType {
			f.value, f.body = f.value[prefix:], f.body+prefix
		}
		fields = append(fields, f)
		i += n + size
	}
	return fields, nil
}

func twinReason(n int) reason {
	_, overflow := protowire.ConsumeVarint([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 2})
	switch {
	case errors.Is(protowire.ParseError(n), io.ErrUnexpectedEOF):
		return truncated
	case n == overflow:
		return longVarint
	}
	return badWireType
}

// plain turns views into the twin's values, with all their accessors.
func plain(groups []Group) []twinGroup {
	out := []twinGroup{}
	optional := func(b []byte) string {
		if b == nil {
			return "-"
		}
		return "+" + string(b)
	}
	for _, g := range groups {
		p := twinGroup{
			topic: optional(g.Topic()), source: optional(g.Source()),
			category: optional(g.last(groupCategory)), machine: optional(g.MachineUUID()),
		}
		for k, v := range g.Tags() {
			p.tags = append(p.tags, twinPair{string(k), string(v)})
		}
		for l := range g.Logs() {
			at := l.Time().UnixNano()
			var t twinLog
			// The nanoseconds may be more than a second's, so they are read apart.
			t.seconds, t.nanos = l.stamp()
			if at != int64(t.seconds)*1e9+int64(t.nanos) {
				panic("Time is not what the fields say")
			}
			for k, v := range l.Contents() {
				t.contents = append(t.contents, twinPair{string(k), string(v)})
			}
			p.logs = append(p.logs, t)
		}
		if g.Len() != len(p.logs) {
			panic("Len is not the number of logs")
		}
		out = append(out, p)
	}
	return out
}
