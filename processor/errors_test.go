package processor

import (
	"errors"
	"fmt"
	"testing"
)

var errBad = errors.New("record 17 cannot be read")

func TestHaltAndFatalKeepTheError(t *testing.T) {
	for name, f := range map[string]func(error) error{"Halt": Halt, "Fatal": Fatal} {
		if err := f(nil); err != nil {
			t.Errorf("%s(nil) = %v", name, err)
		}
		if err := f(errBad); err.Error() != errBad.Error() || !errors.Is(err, errBad) {
			t.Errorf("%s made %#v of %v", name, err, errBad)
		}
	}
}

// panic(Halt(err)) and panic(Fatal(err)) return no marked error. Halt(panicErr) does.
func TestIsHaltAndIsFatal(t *testing.T) {
	panicked := &PanicError{Value: Halt(Fatal(errBad))}
	for name, c := range map[string]struct {
		err         error
		halt, fatal bool
	}{
		"nil":                 {},
		"neither":             {err: errBad},
		"halt":                {err: Halt(errBad), halt: true},
		"wrapped":             {err: fmt.Errorf("page 3: %w", Halt(errBad)), halt: true},
		"joined":              {err: errors.Join(errBad, Halt(errBad), Fatal(errBad)), halt: true, fatal: true},
		"fatal about it":      {err: Fatal(Halt(errBad)), halt: true, fatal: true},
		"in a panic":          {err: panicked},
		"in a panic, wrapped": {err: fmt.Errorf("worker 3: %w", panicked)},
		"about a panic":       {err: Halt(panicked), halt: true},
	} {
		if IsHalt(c.err) != c.halt || IsFatal(c.err) != c.fatal {
			t.Errorf("%s: halt %v, fatal %v; want %v, %v", name, IsHalt(c.err), IsFatal(c.err), c.halt, c.fatal)
		}
	}
}

func TestPanicErrorText(t *testing.T) {
	err := error(&PanicError{Where: "Process", Value: "boom"})
	if got, want := err.Error(), "panic in Process: boom"; got != want {
		t.Errorf("Error() = %q, want %q", got, want)
	}
	if got := errors.Unwrap(err); got != nil {
		t.Errorf("Unwrap of a panic with a string: %v, want nil", got)
	}
}
