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

// parseNumbers reads an array of shard numbers, as a heartbeat's answer is. It is
// strict where encoding/json is not: null is not an empty array, and a null in the
// array is not shard 0. Taking either for an answer would end or start work that the
// service said nothing of.
//
// The numbers are counted before there is memory for any of them.
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

// parseNumber reads a shard number as JSON writes it.
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

// maxOdd is how many elements of a list may make no sense before the list does not.
const maxOdd = 50

// errOdd is the error with which the function that reads an element has it left out.
type errOdd struct{ error }

// parseElements reads an array of objects and calls each for one at a time, so that a
// list that makes no sense is refused before there is memory for all of it. It leaves out
// an element that is not an object, and one for which each returns an errOdd. It is an
// error if it leaves out more than maxOdd elements, or all of them; any other error of
// each ends the list. If a member of the object has the wrong kind, each gets the other
// members and that error as wrong.
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
	var fault error // of the first odd one
	odd, read := 0, 0
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
			err = errOdd{jsonFault(err)}
		} else {
			err = each(&element, err)
		}
		if err == nil {
			continue
		}
		if err = fmt.Errorf("element %d: %w", read, err); !errors.As(err, new(errOdd)) {
			return err
		}
		if odd++; odd == 1 {
			fault = err
		} else if odd > maxOdd {
			return fault
		}
	}
	if _, err := d.Token(); err != nil {
		return jsonFault(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the array")
	}
	if odd == read {
		return fault
	}
	return nil
}

// jsonFault says what is wrong without quoting the answer at length.
func jsonFault(err error) error {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Errorf("JSON %s at byte %d is not what belongs there", shown(typ.Value), typ.Offset)
	}
	return errors.New("it is not JSON of the right form")
}

// rawNumber reads a shard's number that was left as it is: so one of the wrong kind is not
// taken for shard 0, and what else is odd about its element does not matter.
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

// unixTime turns seconds into a time; zero or nothing is no time. Numbers outside of
// what a calendar has are no time either, rather than a strange one.
func unixTime(seconds int64) time.Time {
	if seconds <= 0 || seconds > 253402300799 { // the end of the year 9999
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
