package slsserver

import (
	"errors"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Field numbers of the wire format.
const (
	groupLogs   = 1
	groupTopic  = 3
	groupSource = 4
	groupTags   = 6

	logTime     = 1
	logContents = 2

	pairKey   = 1
	pairValue = 2
)

const (
	maxKeyBytes = 128
	maxLogBytes = 1 << 20
	oldestLog   = 7 * 24 * time.Hour
	newestLog   = 15 * time.Minute
)

var errWire = errors.New("not a log group")

// field is one field of a message. value has the bytes of a length-delimited field.
type field struct {
	number protowire.Number
	kind   protowire.Type
	value  []byte
	varint uint64
	whole  []byte // with its tag
}

// walk calls visit for each field of a message, in order. Unknown ones are visited too.
func walk(message []byte, visit func(field) error) error {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return errWire
		}
		f := field{number: number, kind: kind}
		var m int
		switch kind {
		case protowire.BytesType:
			f.value, m = protowire.ConsumeBytes(message[n:])
		case protowire.VarintType:
			f.varint, m = protowire.ConsumeVarint(message[n:])
		default:
			m = protowire.ConsumeFieldValue(number, kind, message[n:])
		}
		if m < 0 {
			return errWire
		}
		f.whole = message[:n+m]
		if err := visit(f); err != nil {
			return err
		}
		message = message[n+m:]
	}
	return nil
}

// checkGroup refuses an invalid log group with the service's error code. It compares log times with
// now, unless now is zero.
func checkGroup(group []byte, now time.Time) *apiError {
	logs := 0
	err := walk(group, func(f field) error {
		switch {
		case f.number == groupLogs && f.kind == protowire.BytesType:
			logs++
			return checkLog(f.value, now)
		case f.number == groupTags && f.kind == protowire.BytesType:
			_, _, err := readPair(f.value)
			return err
		case f.number >= groupLogs && f.number <= groupTags && f.kind != protowire.BytesType:
			return errWire
		}
		return nil
	})
	if err == nil && logs == 0 {
		return fail(400, "PostBodyInvalid", "the log group has no logs")
	}
	return wireError(err)
}

func wireError(err error) *apiError {
	var e *apiError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	}
	return fail(400, "PostBodyInvalid", "the body is not a log group")
}

func checkLog(log []byte, now time.Time) error {
	if len(log) > maxLogBytes {
		return fail(413, "PostBodyTooLarge", "a log is larger than %d bytes", maxLogBytes)
	}
	timed := false
	err := walk(log, func(f field) error {
		switch f.number {
		case logTime:
			if f.kind != protowire.VarintType {
				return errWire
			}
			timed = true
			return checkTime(f.varint, now)
		case logContents:
			if f.kind != protowire.BytesType {
				return errWire
			}
			key, _, err := readPair(f.value)
			if err == nil && (len(key) == 0 || len(key) > maxKeyBytes) {
				return fail(400, "InvalidKey", "a key of %d bytes is not between 1 and %d", len(key), maxKeyBytes)
			}
			return err
		}
		return nil
	})
	if err == nil && !timed {
		return errWire
	}
	return err
}

func checkTime(seconds uint64, now time.Time) error {
	if now.IsZero() {
		return nil
	}
	at := time.Unix(int64(min(seconds, 1<<33)), 0)
	if at.Before(now.Add(-oldestLog)) || at.After(now.Add(newestLog)) {
		return fail(400, "InvalidTimestamp", "the log time %d is too far from now", seconds)
	}
	return nil
}

// readPair reads a content or a tag. Both need a key and a value.
func readPair(pair []byte) (key, value []byte, err error) {
	var hasKey, hasValue bool
	err = walk(pair, func(f field) error {
		if f.number != pairKey && f.number != pairValue {
			return nil
		}
		if f.kind != protowire.BytesType {
			return errWire
		}
		if f.number == pairKey {
			key, hasKey = f.value, true
		} else {
			value, hasValue = f.value, true
		}
		return nil
	})
	if err == nil && !(hasKey && hasValue) {
		err = errWire
	}
	return key, value, err
}
