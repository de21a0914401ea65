package sls

import (
	"encoding/json"
	"errors"
	"fmt"
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
func parseNumbers(b []byte) ([]int, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, errors.New("it is not a JSON array")
	}
	if raw == nil {
		return nil, errors.New("it is null and not an array")
	}
	if len(raw) > maxShards {
		return nil, fmt.Errorf("it lists more than %d shards", maxShards)
	}
	numbers := make([]int, len(raw))
	for i, r := range raw {
		var n *int
		if err := json.Unmarshal(r, &n); err != nil || n == nil || *n < 0 || *n > maxShard {
			return nil, fmt.Errorf("%s is not a shard number", shown(string(r)))
		}
		numbers[i] = *n
	}
	return numbers, nil
}

// parseElements reads an array, and leaves its elements to the caller.
func parseElements(b []byte) ([]json.RawMessage, error) {
	var raw []json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		return nil, jsonFault(err)
	}
	if raw == nil {
		return nil, errors.New("it is null and not an array")
	}
	if len(raw) > maxShards {
		return nil, fmt.Errorf("it lists more than %d elements", maxShards)
	}
	return raw, nil
}

// jsonFault says what is wrong without quoting the answer at length.
func jsonFault(err error) error {
	var typ *json.UnmarshalTypeError
	if errors.As(err, &typ) {
		return fmt.Errorf("JSON %s at byte %d is not what belongs there", shown(typ.Value), typ.Offset)
	}
	return errors.New("it is not JSON of the right form")
}

// shardNumber checks a number that may be missing.
func shardNumber(n *int) (int, error) {
	switch {
	case n == nil:
		return 0, errors.New("it has no shard number")
	case *n < 0 || *n > maxShard:
		return 0, fmt.Errorf("%d is not a shard number", *n)
	}
	return *n, nil
}

// rawNumber reads a shard's number that was left as it is: so one of the wrong kind is not
// taken for shard 0, and what else is odd about its element does not matter.
func rawNumber(raw json.RawMessage) (int, error) {
	var n *int
	if raw != nil {
		if err := json.Unmarshal(raw, &n); err != nil {
			return 0, errors.New(shown(string(raw)) + " is not a shard number")
		}
	}
	return shardNumber(n)
}

// unixTime turns seconds into a time; zero or nothing is no time. Numbers outside of
// what a calendar has are no time either, rather than a strange one.
func unixTime(seconds int64) time.Time {
	if seconds <= 0 || seconds > 253402300799 { // the end of the year 9999
		return time.Time{}
	}
	return time.Unix(seconds, 0)
}
