package sls

import (
	"fmt"
	"io"
	"log/slog"
)

const hidden = "[hidden]"

// Secret is a string that prints as "[hidden]". The value sits behind a closure, where
// no formatting verb, encoder or reflection finds it; with a named string type, %d, or
// a %v of a struct that has it in an unexported field, would print it. The zero value
// is empty.
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

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.Reveal() == "" }

// String returns "[hidden]", or nothing if there is nothing to hide.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return hidden
}

// Format prints String for every verb.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is for encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// LogValue is for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }
