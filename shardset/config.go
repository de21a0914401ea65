package shardset

import (
	"fmt"
	"strings"
)

// ConfigError lists every fault of a configuration that a constructor refused. Constructors such as
// coordinator.New return it, so that a program can print the faults, or correct the fields, without
// parsing the error text.
type ConfigError struct {
	// Config names the type that was refused: "coordinator.Config".
	Config string
	// Faults has at least one entry.
	Faults []Fault
}

// Fault is one thing wrong with a configuration.
type Fault struct {
	// Field is the name of the field. A part of a field is written as in Go: "Shards[3].ID".
	Field string
	// Reason says what is wrong and what the field takes. It continues a sentence that begins with
	// the name of the field: "is -1s; it must not be negative".
	Reason string

	err error // what Add made, for errors.Is
}

func (e *ConfigError) Error() string {
	var b strings.Builder
	b.WriteString("bad " + e.Config + ": ")
	for i, f := range e.Faults {
		if i > 0 {
			b.WriteString("; ")
		}
		b.WriteString(f.Field + " " + f.Reason)
	}
	return b.String()
}

// Add adds a fault. errors.Is and errors.As find an error that format wraps with %w.
func (e *ConfigError) Add(field, format string, args ...any) {
	err := fmt.Errorf(format, args...)
	e.Faults = append(e.Faults, Fault{Field: field, Reason: err.Error(), err: err})
}

// Unwrap returns the faults that Add made, as errors.
func (e *ConfigError) Unwrap() []error {
	var errs []error
	for _, f := range e.Faults {
		if f.err != nil {
			errs = append(errs, f.err)
		}
	}
	return errs
}

// Err returns e, or nil if it has no fault.
func (e *ConfigError) Err() error {
	if len(e.Faults) == 0 {
		return nil
	}
	return e
}
