package slsserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The bounds of JSON bodies. The operations take a few members, and clients send few more.
const (
	maxMembers = 64
	maxHeld    = 100_000 // shards in a heartbeat
)

// object is a JSON object whose members that count are flat. Others are left alone, because clients
// may send more than this server reads; a member that is there twice is not.
type object map[string]any

// parseObject reads an object and nothing after it.
func parseObject(body []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	o := object{}
	for d.More() {
		if len(o) == maxMembers {
			return nil, fmt.Errorf("the object has more than %d members", maxMembers)
		}
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errors.New("not a JSON object")
		}
		if _, twice := o[name]; twice {
			return nil, fmt.Errorf("the member %q is there twice", excerpt(name, maxShown))
		}
		value, err := d.Token()
		if err != nil {
			return nil, fmt.Errorf("the member %q has no value", excerpt(name, maxShown))
		}
		for depth := nesting(value); depth > 0; depth += nesting(t) {
			if t, err = d.Token(); err != nil {
				return nil, fmt.Errorf("the member %q does not end", excerpt(name, maxShown))
			}
		}
		o[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, errors.New("the object does not end")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	return o, nil
}

// nesting is by how much a token makes what follows deeper.
func nesting(t json.Token) int {
	switch t {
	case json.Delim('{'), json.Delim('['):
		return 1
	case json.Delim('}'), json.Delim(']'):
		return -1
	}
	return 0
}

func (o object) has(name string) bool {
	_, ok := o[name]
	return ok
}

func (o object) text(name string) (string, bool) {
	s, ok := o[name].(string)
	return s, ok
}

func (o object) boolean(name string) (value, ok bool) {
	value, ok = o[name].(bool)
	return value, ok
}

// integer reads a whole number. Languages that know floats only write 5 as 5.0.
func (o object) integer(name string) (int64, bool) {
	n, ok := o[name].(json.Number)
	if !ok {
		return 0, false
	}
	digits, zeros, _ := strings.Cut(n.String(), ".")
	i, err := strconv.ParseInt(digits, 10, 64)
	return i, err == nil && strings.Trim(zeros, "0") == ""
}

// parseIntegers reads an array of shard numbers and nothing after it. Heartbeats are the
// most frequent request, so it is written out.
func parseIntegers(body []byte) ([]int, error) {
	p := intParser{rest: body}
	if !p.take('[') {
		return nil, errors.New("not an array")
	}
	if p.take(']') {
		return nil, p.done()
	}
	n := bytes.Count(body, []byte{','}) + 1
	if n > maxHeld {
		return nil, fmt.Errorf("there are more than %d shards", maxHeld)
	}
	ids := make([]int, 0, n)
	for {
		id, err := p.number()
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
		if p.take(']') {
			return ids, p.done()
		}
		if !p.take(',') {
			return nil, errors.New("not an array of shard numbers")
		}
	}
}

type intParser struct{ rest []byte }

func (p *intParser) take(c byte) bool {
	p.rest = bytes.TrimLeft(p.rest, " \t\r\n")
	if len(p.rest) == 0 || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

func (p *intParser) number() (int, error) {
	p.rest = bytes.TrimLeft(p.rest, " \t\r\n")
	n, digits := 0, 0
	for digits < len(p.rest) && p.rest[digits] >= '0' && p.rest[digits] <= '9' {
		n = n*10 + int(p.rest[digits]-'0')
		digits++
		if n > 1<<31-1 {
			return 0, errors.New("a shard number is too large")
		}
	}
	if digits == 0 || digits > 1 && p.rest[0] == '0' {
		return 0, errors.New("not an array of shard numbers")
	}
	p.rest = p.rest[digits:]
	return n, nil
}

func (p *intParser) done() error {
	if len(bytes.TrimLeft(p.rest, " \t\r\n")) > 0 {
		return errors.New("something follows the array")
	}
	return nil
}
