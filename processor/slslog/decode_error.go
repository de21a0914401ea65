package slslog

import "fmt"

// DecodeError says why a page is not a list of log groups.
type DecodeError struct {
	// Offset is where the wrong field begins in the page, in bytes. If a field is missing, Offset is
	// where the message that lacks the field begins.
	Offset int
	reason reason
}

func (e *DecodeError) Error() string {
	return fmt.Sprintf("bad page of logs: at offset %d: %v", e.Offset, e.reason)
}

// reason is what is wrong with a field. Zero means nothing.
type reason uint8

const (
	truncated     reason = iota + 1 // the message ends within the field
	beyondEnd                       // the field is longer than the message that holds it
	longVarint                      // the number has more than 64 bits, or more than ten bytes
	badNumber                       // no field can have this number
	badWireType                     // there is no such wire type, or a field of this number must have another
	groupWireType                   // a group of protobuf, which is deprecated and not part of this format
	noTime                          // the log has no time
	noKey                           // the content or tag has no key; an empty key is valid
	noValue                         // the content or tag has no value; an empty value is valid
	tooManyGroups                   // there are more log groups than announced
	tooFewGroups                    // there are fewer; the offset is the page's length
)

var reasons = [...]string{
	truncated:     "truncated",
	beyondEnd:     "length beyond the end",
	longVarint:    "varint of more than 64 bits",
	badNumber:     "field number out of range",
	badWireType:   "wrong wire type",
	groupWireType: "wire type of a group",
	noTime:        "log without a time",
	noKey:         "no key",
	noValue:       "no value",
	tooManyGroups: "more log groups than announced",
	tooFewGroups:  "fewer log groups than announced",
}

func (r reason) String() string {
	if r == 0 || int(r) >= len(reasons) {
		return "unknown"
	}
	return reasons[r]
}
