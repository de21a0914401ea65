package runner

import (
	"runtime/debug"

	"github.com/rollcall-go/rollcall/processor"
)

// contain calls user code, and returns a panic in it as a *processor.PanicError. A
// runtime.Goexit in f cannot be stopped: then contain does not return either.
func contain(where string, f func() error) (err error) {
	returned := false
	defer func() {
		// recover works only here, in the deferred function itself. Under
		// GODEBUG=panicnil=1 it returns nil for a panic(nil), and stops it.
		if v := recover(); !returned {
			err = &processor.PanicError{Where: where, Value: v, Stack: debug.Stack()}
		}
	}()
	err = f()
	returned = true
	return err
}
