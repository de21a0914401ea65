package processor

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

// Why a shard has to stop: the cause of a Process context (context.Cause), and the
// result of Shard.Cause.
var (
	// ErrRevoked: the group wants the shard for another member. Until Process
	// returns it is still this member's, and commits are accepted.
	ErrRevoked = errors.New("shard was revoked")

	// ErrShutdown: the worker stops. As with ErrRevoked, commits are accepted
	// until Process returns.
	ErrShutdown = errors.New("worker is shutting down")

	// ErrLeaseLost: no heartbeat was answered in time. Another member may hold the
	// shard already; nothing more is committed.
	ErrLeaseLost = errors.New("lease on the shard was lost")

	// ErrNotOwner: the store refused a commit because this member does not hold
	// the shard under that epoch any more. It is also the cause of the context
	// from then on.
	ErrNotOwner = shardset.ErrNotOwner
)

var (
	// ErrShardClosed is what Process returns when it has processed and committed a
	// closed shard to its end. The group is told, and does not grant it again. Should it
	// go on granting it, Process is started again after a while, with growing pauses.
	ErrShardClosed = errors.New("shard has ended")

	// ErrReturned is the result of a commit after Process has returned, and the
	// cause of its context from then on, unless that ended before.
	ErrReturned = errors.New("processor has returned")

	// ErrEmptyPosition is the result of committing the empty position, which a
	// store could not tell from "never committed".
	ErrEmptyPosition = errors.New("position is empty")

	// ErrNoProgress: a processor has given no sign of progress for
	// coordinator.Config.NoProgressAfter. The worker reports it, and stops nothing.
	ErrNoProgress = errors.New("no progress")

	// ErrGoexit is what a run fails with whose user code ended its goroutine with
	// runtime.Goexit, as a testing.T.FailNow does.
	ErrGoexit = errors.New("processor ended its goroutine with runtime.Goexit")
)

// FatalError is an error that ends the worker: see Fatal.
type FatalError struct {
	Err error // never nil
}

func (e *FatalError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *FatalError) Unwrap() error { return e.Err }

// Fatal marks an error that starting again cannot mend, here or elsewhere: a table
// that is missing, a format that this version cannot read. When Process or a Factory
// returns it, anywhere in its chain, the whole worker stops: all its shards are
// drained, and the coordinator's Run returns it. The shard's next owner will meet the
// same error, so this ends the group rather than one worker. Fatal(nil) is nil.
func Fatal(err error) error {
	if err == nil {
		return nil
	}
	return &FatalError{Err: err}
}

// HaltError is an error that stops the work on a shard: see Halt.
type HaltError struct {
	Err error // never nil
}

func (e *HaltError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *HaltError) Unwrap() error { return e.Err }

// Halt marks an error that trying again cannot mend, but that concerns one shard only:
// a record that cannot be read, a position that is gone, a checkpoint that is damaged.
// When Process, a Factory or Checkpoints.Load returns it, anywhere in its chain, the
// shard is not started again. It stays held and visible, with the error in its status, in
// the log and told to a hook, and is not done: no other member meets the same error, and
// nothing of it is lost, until somebody mends the cause and restarts the worker, or the
// group takes the shard for another member. If the shard has to go anyway, it goes, and err is told like that of
// any other failure; Fatal says more than Halt. Halt(nil) is nil.
func Halt(err error) error {
	if err == nil {
		return nil
	}
	return &HaltError{Err: err}
}

// PanicError is a panic of user code that was contained. The shard is restarted
// like after any other error.
type PanicError struct {
	Where string // "Process", "Factory", "Checkpoints.Load", or what else was called
	Value any    // what was passed to panic
	Stack []byte // of the panicking goroutine, as by runtime/debug.Stack
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic in %s: %v", e.Where, e.Value) }

// Unwrap returns the value passed to panic, if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// IsHalt reports whether err was made with Halt, itself or anything in its chain, and
// not by a panic that carried such an error.
func IsHalt(err error) bool { return marked[*HaltError](err) }

// IsFatal is IsHalt for Fatal.
func IsFatal(err error) bool { return marked[*FatalError](err) }

// marked reports whether err is or wraps a T, as errors.As does, but does not look
// into a panic: a verdict about a panic counts, one that was panicked with does not.
func marked[T error](err error) bool {
	switch e := err.(type) {
	case T:
		return true
	case *PanicError:
		return false
	case interface{ Unwrap() error }:
		return marked[T](e.Unwrap())
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), marked[T])
	}
	return false
}
