package processor

import "runtime/debug"

// Contain calls user code and turns a panic in it into a *PanicError. It is for
// processors that have goroutines of their own, on which a panic would end the process;
// one in Process is contained already. A runtime.Goexit in f cannot be stopped: then
// Contain does not return either.
func Contain(where string, f func() error) (err error) {
	returned := false
	defer func() {
		// recover works only here, in the deferred function itself. Under
		// GODEBUG=panicnil=1 it returns nil for a panic(nil), and stops it.
		if v := recover(); !returned {
			err = &PanicError{Where: where, Value: v, Stack: debug.Stack()}
		}
	}()
	err = f()
	returned = true
	return err
}
