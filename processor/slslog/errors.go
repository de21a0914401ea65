package slslog

import (
	"errors"
	"fmt"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

// DecodeError says why a page is not a list of log groups.
type DecodeError struct {
	// Offset is where the field begins in the page that is wrong, or that holds the
	// message that lacks something.
	Offset int
	Reason Reason
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("bad page of logs: at offset %d: %v", e.Offset, e.Reason)
}

// Reason is what is wrong with a field.
type Reason uint8

const (
	// Truncated: the message ends within the field.
	Truncated Reason = iota + 1
	// BeyondEnd: the field says that it is longer than the message that holds it.
	BeyondEnd
	// LongVarint: a number does not fit in 64 bits, or is written with more than ten.
	LongVarint
	// BadNumber: the field has a number that no field can have.
	BadNumber
	// BadWireType: the field is written in a way that does not exist, or not as a field
	// of this number must be.
	BadWireType
	// GroupWireType: the field uses the delimited form that protobuf has given up, and
	// that this format never had.
	GroupWireType
	// NoTime: the log has no time.
	NoTime
	// NoKey: the content or tag has no key. An empty one is one.
	NoKey
	// NoValue: the content or tag has no value. An empty one is one.
	NoValue
	// TooManyGroups: there are more log groups than were announced.
	TooManyGroups
	// TooFewGroups: there are fewer. The offset is the page's length.
	TooFewGroups
)

var reasons = [...]string{
	Truncated:     "truncated",
	BeyondEnd:     "length beyond the end",
	LongVarint:    "varint of more than 64 bits",
	BadNumber:     "field number out of range",
	BadWireType:   "wrong wire type",
	GroupWireType: "wire type of a group",
	NoTime:        "log without a time",
	NoKey:         "no key",
	NoValue:       "no value",
	TooManyGroups: "more log groups than announced",
	TooFewGroups:  "fewer log groups than announced",
}

func (r Reason) String() string {
	if r == 0 || int(r) >= len(reasons) {
		return "unknown"
	}
	return reasons[r]
}

// TooLargeError is a log group that is larger than a page may be. It halts its shard: see
// Options.MaxRaw. It matches ErrTooLarge.
type TooLargeError struct {
	Shard  int
	Cursor string // where the page begins
	Groups int    // log groups in the page; one, unless the service sent more than were asked for
	Size   int    // its bytes, decompressed
	Max    int    // the bound
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("slslog: the smallest page of shard %d at %q has %d bytes, decompressed, over the bound of %d: "+
		"raise slslog.Options.MaxRaw (%d is the most that the client reads), or commit a position behind it to leave it out",
		e.Shard, e.Cursor, e.Size, e.Max, DefaultMaxRaw)
}

// Is matches ErrTooLarge.
func (e *TooLargeError) Is(target error) bool { return target == ErrTooLarge }

// DecompressError says why a body could not be decompressed. It matches ErrRawSize,
// ErrCorrupt or ErrCompression.
type DecompressError struct {
	Compression sls.Compression
	RawSize     int // as announced
	Err         error
}

func (e *DecompressError) Error() string {
	return fmt.Sprintf("cannot decompress %v body of %d raw bytes: %v", e.Compression, e.RawSize, e.Err)
}

func (e *DecompressError) Unwrap() error { return e.Err }

var (
	// ErrTooLarge: a page is over the bound. Nothing was decompressed.
	ErrTooLarge = errors.New("page is over the bound")

	// ErrRawSize: the body does not decompress to exactly the announced raw size. One
	// that is longer may be taken for a corrupt one.
	ErrRawSize = errors.New("raw size is not as announced")

	// ErrCorrupt: the body is not what its compression says.
	ErrCorrupt = errors.New("corrupt body")

	// ErrCompression: the compression is unknown.
	ErrCompression = errors.New("unknown compression")
)

// LimitError says that the service would not take what a Builder was given.
type LimitError struct {
	Limit Limit
	Size  int // what it would be, in bytes
	Max   int
}

func (e *LimitError) Error() string {
	return fmt.Sprintf("%v of %d bytes, the most is %d", e.Limit, e.Size, e.Max)
}

// Limit is what a LimitError is about.
type Limit uint8

const (
	// LimitGroup: the log group would be larger than MaxGroupBytes. What was refused
	// may fit in the next one.
	LimitGroup Limit = iota + 1
	// LimitLog: the log is larger than MaxLogBytes. It fits in no log group.
	LimitLog
	// LimitKey: a key is longer than MaxKeyBytes.
	LimitKey
)

func (l Limit) String() string {
	switch l {
	case LimitGroup:
		return "log group"
	case LimitLog:
		return "log"
	case LimitKey:
		return "key"
	}
	return "unknown"
}

// ErrLogTime: a log's time is before 1970 or after 2106, which the format cannot say.
var ErrLogTime = errors.New("time of the log cannot be represented")
