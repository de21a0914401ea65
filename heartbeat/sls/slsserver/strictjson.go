package slsserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The bounds of JSON bodies.
const (
	maxMembers = 64
	maxHeld    = 100_000 // shards in a heartbeat
)

// object is a JSON object. It keeps no nested values: the server needs none, but clients send some.
// A repeated member is an error.
type object map[string]any

// parseObject reads an object. It refuses anything after it.
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

// nesting returns by how much a token changes the depth.
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

// integer reads a whole number. Languages without integers write 5 as 5.0.
func (o object) integer(name string) (int64, bool) {
	n, ok := o[name].(json.Number)
	if !ok {
		return 0, false
	}
	digits, zeros, _ := strings.Cut(n.String(), ".")
	i, err := strconv.ParseInt(digits, 10, 64)
	return i, err == nil && strings.Trim(zeros, "0") == ""
}

// parseIntegers reads an array of shard numbers. It refuses anything after it.
func parseIntegers(body []byte) ([]int, error) {
	n := bytes.Count(body, []byte{','}) + 1
	if n > maxHeld {
		return nil, fmt.Errorf("there are more than %d shards", maxHeld)
	}
	ids := make([]int, 0, n)
	err := json.Unmarshal(body, &ids)
	if err != nil || bytes.ContainsAny(body, "-n") { // encoding/json reads null as 0
		return nil, errors.New("not an array of shard numbers")
	}
	if len(ids) > 0 && slices.Max(ids) > math.MaxInt32 {
		return nil, errors.New("a shard number is too large")
	}
	return ids, nil
}
