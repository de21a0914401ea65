package processor

import "runtime/debug"

// contain calls user code and turns a panic in it into a *PanicError. A
// runtime.Goexit in it cannot be stopped: exited tells the deferred code on the way
// out that this is what happens.
func contain(where string, exited *bool, f func() error) (err error) {
	*exited = true
	defer func() {
		// recover works only here, in the deferred function itself.
		if v := recover(); v != nil {
			*exited = false
			err = &PanicError{Where: where, Value: v, Stack: debug.Stack()}
		}
	}()
	err = f()
	*exited = false
	return err
}
