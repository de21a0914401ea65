package runner

import (
	"runtime/debug"

	"github.com/rollcall-go/rollcall/processor"
)

// contain calls f, and returns a panic of f as a *processor.PanicError. If f calls
// runtime.Goexit, contain does not return.
func contain(where string, f func() error) (err error) {
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
