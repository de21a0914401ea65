package shardset

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Every error about a malformed shard ID matches ErrInvalidID.
var ErrInvalidID = errors.New("invalid shard id")

// maxLogName is the longest log name of an ID, in bytes.
const maxLogName = 128

// ID names one shard by its log and its number in that log. It is comparable, so it can be a map
// key. One group may span several logs; a group with a single log may leave Log empty.
//
// The zero value is a valid ID: shard 0 of the unnamed log.
type ID struct {
	// Log is the log's name: empty, or 1 to 128 letters, digits, dots, hyphens
	// and underscores that start with a letter or a digit.
	Log string
	// Number is the shard's number in its log, zero or more.
	Number int
}

// String returns "orders/7", or "7" when the log has no name. ParseID reads it back.
func (id ID) String() string {
	if id.Log == "" {
		return strconv.Itoa(id.Number)
	}
	return id.Log + "/" + strconv.Itoa(id.Number)
}

// Compare orders IDs by log name, then by number. It is negative when id comes
// first, zero when both are equal.
func (id ID) Compare(other ID) int {
	if id.Log != other.Log { // the fast path: most IDs of a group have the same log
		return strings.Compare(id.Log, other.Log)
	}
	return cmp.Compare(id.Number, other.Number)
}

// Validate returns an error if the ID is malformed. The error matches ErrInvalidID.
func (id ID) Validate() error {
	if id.Number < 0 {
		return fmt.Errorf("%w: %.150q: the number is negative", ErrInvalidID, id.String())
	}
	if id.Log != "" && !validLogName(id.Log) {
		return fmt.Errorf("%w: the log name %.*q is not 1 to %d letters, digits, '.', '-' and '_' after a letter or digit",
			ErrInvalidID, maxLogName, id.Log, maxLogName)
	}
	return nil
}

// MarshalText writes the form of String, so that an ID can be a key in JSON.
func (id ID) MarshalText() ([]byte, error) {
	if err := id.Validate(); err != nil {
		return nil, err
	}
	return []byte(id.String()), nil
}

// UnmarshalText reads the form of String. The error matches ErrInvalidID.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

// ParseID parses the result of ID.String: "orders/7" or "7". It accepts no other spelling, such
// as "orders/07", so that one shard never has two names. The error matches ErrInvalidID.
func ParseID(s string) (ID, error) {
	log, digits := "", s
	if i := strings.LastIndexByte(s, '/'); i >= 0 {
		log, digits = s[:i], s[i+1:]
		if log == "" {
			return ID{}, fmt.Errorf("%w: %.150q has an empty log name", ErrInvalidID, s)
		}
	}
	n, err := strconv.Atoi(digits)
	if err != nil || strconv.Itoa(n) != digits {
		return ID{}, fmt.Errorf("%w: %.150q does not end in a shard number", ErrInvalidID, s)
	}
	id := ID{Log: log, Number: n}
	if err := id.Validate(); err != nil {
		return ID{}, err
	}
	return id, nil
}

func validLogName(s string) bool {
	if s == "" || len(s) > maxLogName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return true
}
