// Package contain keeps a panic of user code from ending the process. The coordinator does
// the same for what it calls itself; this is for the packages beside processor that call
// user code on goroutines of their own.
package contain

import (
	"runtime/debug"

	"github.com/rollcall-go/rollcall/processor"
)

// Call calls f and turns a panic in it into a *processor.PanicError. A runtime.Goexit in f
// cannot be stopped: then Call does not return either.
func Call(where string, f func() error) (err error) {
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
