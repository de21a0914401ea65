package sls

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

const (
	maxShard  = math.MaxInt32
	maxShards = 100_000 // in one answer
)

// parseNumbers reads an array of shard numbers, the answer to a heartbeat. It is stricter than
// encoding/json: null is not an empty array, and a null in the array is not shard 0. The first
// mistake would stop all shards of the member; the second would start shard 0. parseNumbers counts
// the numbers before it allocates memory for them.
func parseNumbers(b []byte) ([]int, error) {
	b = trimJSON(b)
	if string(b) == "null" {
		return nil, errors.New("it is null and not an array")
	}
	list, ok := bytes.CutPrefix(b, []byte("["))
	list, closed := bytes.CutSuffix(list, []byte("]"))
	if !ok || !closed {
		return nil, errors.New("it is not a JSON array")
	}
	if len(trimJSON(list)) == 0 {
		return []int{}, nil
	}
	n := bytes.Count(list, []byte(",")) + 1
	if n > maxShards {
		return nil, fmt.Errorf("it lists more than %d shards", maxShards)
	}
	numbers := make([]int, 0, n)
	for text := range bytes.SplitSeq(list, []byte(",")) {
		number, ok := parseNumber(trimJSON(text))
		if !ok {
			return nil, fmt.Errorf("%s is not a shard number", shown(string(text)))
		}
		numbers = append(numbers, number)
	}
	return numbers, nil
}

func trimJSON(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }

// parseNumber reads a shard number in JSON.
func parseNumber(text []byte) (n int, ok bool) {
	if len(text) == 0 || len(text) > 10 || text[0] == '0' && len(text) > 1 {
		return 0, false
	}
	sum := int64(0)
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		sum = 10*sum + int64(c-'0')
	}
	return int(sum), sum <= maxShard
}

// maxSkipped is how many elements parseElements may skip.
const maxSkipped = 50

// errSkip is the error of an element that parseElements skips.
type errSkip struct{ error }

// parseElements reads an array of objects and passes them to the function each, one at a time. So
// it can refuse a bad list before it needs memory for all of it. If a field has the wrong type,
// that function receives the other fields, and the error as the argument wrong.
//
// parseElements skips an element that is not an object, and an element for which the function each
// returns an errSkip. Any other error of that function ends parseElements. It is also an error if
// parseElements skips more than maxSkipped elements, or all of them.
func parseElements[W any](b []byte, each func(element *W, wrong error) error) error {
	d := json.NewDecoder(bytes.NewReader(b))
	switch first, err := d.Token(); {
	case err != nil:
		return jsonFault(err)
	case first == nil:
		return errors.New("it is null and not an array")
	case first != json.Delim('['):
		return errors.New("it is not a JSON array")
	}
	var element, zero W
	var fault error // of the first skipped element
	skipped, read := 0, 0
	for ; d.More(); read++ {
		if read == maxShards {
			return fmt.Errorf("it lists more than %d elements", maxShards)
		}
		element = zero
		err := d.Decode(&element)
		var kind *json.UnmarshalTypeError
		if err != nil && !errors.As(err, &kind) {
			return fmt.Errorf("element %d: %w", read, jsonFault(err))
		}
		if kind != nil && kind.Field == "" {
			err = errSkip{jsonFault(err)}
		} else {
			err = each(&element, err)
		}
		if err == nil {
			continue
		}
		if err = fmt.Errorf("element %d: %w", read, err); !errors.As(err, new(errSkip)) {
			return err
		}
		if skipped++; skipped == 1 {
			fault = err
		} else if skipped > maxSkipped {
			return fault
		}
	}
	if _, err := d.Token(); err != nil {
		return jsonFault(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the array")
	}
	if skipped == read {
		return fault
	}
	return nil
}

// jsonFault describes a JSON error without a long quote of the answer.
func jsonFault(err error) error {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Errorf("JSON %s at byte %d has the wrong type", shown(typ.Value), typ.Offset)
	}
	return errors.New("it is not JSON of the right form")
}

// rawNumber reads a shard number from raw JSON. With encoding/json a value of the wrong type would
// become shard 0, or make the whole element fail.
func rawNumber(raw json.RawMessage) (int, error) {
	if raw == nil || string(raw) == "null" {
		return 0, errNoNumber
	}
	n, ok := parseNumber(raw)
	if !ok {
		return 0, errors.New(shown(string(raw)) + " is not a shard number")
	}
	return n, nil
}

var errNoNumber = errors.New("it has no shard number")

// unixTime returns the time of Unix seconds, and the zero time for values below 1 or after the year
// 9999.
func unixTime(seconds int64) time.Time {
	if seconds <= 0 || seconds > 253402300799 { // the end of the year 9999
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
