package contain_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
)

var errBad = errors.New("record 17 cannot be read")

func TestCall(t *testing.T) {
	if err := contain.Call("parse", func() error { return errBad }); err != errBad {
		t.Errorf("Call returned %v, want %v", err, errBad)
	}
	for _, setting := range []string{"", "panicnil=1"} {
		t.Setenv("GODEBUG", setting)
		for _, value := range []any{"boom", errBad, nil} {
			err := contain.Call("parse", func() error { panic(value) })
			var p *processor.PanicError
			if !errors.As(err, &p) || p.Where != "parse" || !strings.Contains(string(p.Stack), "TestCall") {
				t.Fatalf("%s: a panic with %v: %v", setting, value, err)
			}
			if value != nil && p.Value != value {
				t.Errorf("%s: the value is %v, want %v", setting, p.Value, value)
			}
		}
	}
}

func TestGoexitIsNotStopped(t *testing.T) {
	stopped, done := true, make(chan struct{})
	go func() {
		defer close(done)
		_ = contain.Call("parse", func() error { runtime.Goexit(); return nil })
		stopped = false
	}()
	<-done
	if !stopped {
		t.Error("Call returned")
	}
}
