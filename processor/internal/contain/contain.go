// Package contain recovers panics of user code, so that they do not end the process. The
// packages under processor use it where the coordinator cannot recover a panic: on their own
// goroutines, and in unit tests.
package contain

import (
	"runtime/debug"

	"github.com/rollcall-go/rollcall/processor"
)

// Call calls f, and returns a panic of f as a *processor.PanicError. If f calls runtime.Goexit,
// Call does not return.
func Call(where string, f func() error) (err error) {
	returned := false
	defer func() {
		// recover also stops a panic(nil). Under GODEBUG=panicnil=1 it then returns nil, so
		// returned decides.
		if v := recover(); !returned {
			err = &processor.PanicError{Where: where, Value: v, Stack: debug.Stack()}
		}
	}()
	err = f()
	returned = true
	return err
}
