package partitioned

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Record is what natsput puts: a line with its number in its partition, so that whoever
// reads can say what is missing and what came twice. Numbers count from 1.
//
// It travels as text, number, time and line with a space between them, for people who
// look into the stream.
type Record struct {
	Number int64
	// Put is when it was put, by the clock of who did.
	Put  time.Time
	Line []byte
}

// AppendRecord appends the form that travels.
func AppendRecord(b []byte, r Record) []byte {
	b = strconv.AppendInt(b, r.Number, 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, r.Put.UnixNano(), 10)
	b = append(b, ' ')
	return append(b, r.Line...)
}

var errNoRecord = errors.New("it is not a number, a time in nanoseconds and a line")

// ParseRecord reads what AppendRecord wrote. Line is a part of data.
func ParseRecord(data []byte) (Record, error) {
	number, rest, _ := bytes.Cut(data, []byte(" "))
	put, line, found := bytes.Cut(rest, []byte(" "))
	n, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || n < 1 || !found {
		return Record{}, fmt.Errorf("%.40q: %w", data, errNoRecord)
	}
	at, err := strconv.ParseInt(string(put), 10, 64)
	if err != nil {
		return Record{}, fmt.Errorf("%.40q: %w", data, errNoRecord)
	}
	return Record{Number: n, Put: time.Unix(0, at), Line: line}, nil
}
