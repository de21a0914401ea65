package heartbeat

import (
	"fmt"
	"io"
)

// Secret is a string that prints as "[hidden]". A closure holds the value, so that no
// formatting verb, encoder or reflection finds it. A named string type would not hide it:
// %d prints the value, and so does %v of a struct with the string in an unexported field. The
// zero value is empty.
type Secret struct {
	value func() string
}

// NewSecret hides s.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{value: func() string { return s }}
}

// Reveal returns the value.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return s.value()
}

// Empty reports whether the value is the empty string.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// String returns "[hidden]", or "" if the value is empty.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return "[hidden]"
}

// Format prints what String returns, whatever the verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText returns what String returns.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
