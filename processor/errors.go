package processor

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

// Why a shard has to stop: the cause of the context of Process (context.Cause), and the
// result of Shard.Cause.
var (
	// ErrRevoked: the group wants the shard for another member. The shard is still this
	// member's until Process returns, and commits are accepted.
	ErrRevoked = errors.New("shard was revoked")

	// ErrShutdown: the worker stops. As with ErrRevoked, commits are accepted until
	// Process returns.
	ErrShutdown = errors.New("worker is shutting down")

	// ErrLeaseLost: no heartbeat was answered in time. Another member may hold the
	// shard already; commits are refused.
	ErrLeaseLost = errors.New("lease on the shard was lost")

	// ErrNotOwner: the store refused a commit, because this member does not hold the
	// shard under that epoch any more.
	ErrNotOwner = shardset.ErrNotOwner
)

var (
	// ErrShardClosed is what Process returns when it has committed the last position of
	// a closed shard. The group then grants the shard to no member. If the group goes on
	// granting it, the worker calls Process again, after pauses that grow.
	ErrShardClosed = errors.New("shard is closed")

	// ErrReturned: Process has returned, so its Shard refuses to commit. It is also the
	// cause of the context of Process then, unless the context had ended before.
	ErrReturned = errors.New("processor has returned")

	// ErrEmptyPosition: the empty position cannot be committed, because a store could
	// not tell it from "never committed".
	ErrEmptyPosition = errors.New("position is empty")

	// ErrGoexit: user code ended its goroutine with runtime.Goexit, as testing.T.FailNow
	// does. The attempt has failed.
	ErrGoexit = errors.New("processor ended its goroutine with runtime.Goexit")

	// ErrNoProgress: a processor has given no sign of progress for
	// coordinator.Config.NoProgressAfter. The worker reports it, and stops nothing.
	ErrNoProgress = errors.New("no progress")
)

// Halt marks an error that a retry cannot mend, and that concerns one shard only: a record
// that cannot be read, a position that is gone, a damaged checkpoint. Process, a Factory and
// Checkpoints.Load may return it, also wrapped. The worker does not start the shard again.
// It keeps the shard, so that no other member meets the same error, and shows the error in
// the status, the log and a hook. Nothing of the shard is lost: mend the cause and restart
// the worker.
//
// A shard that has to go anyway is not halted: its error is reported like any other. An
// error that is made with Fatal too is fatal. Halt(nil) is nil.
func Halt(err error) error {
	if err == nil {
		return nil
	}
	return &haltError{err}
}

// IsHalt reports whether err was made with Halt, or wraps an error that was. What a panic
// carried does not count.
func IsHalt(err error) bool { return marked[*haltError](err) }

// Fatal marks an error that a retry cannot mend, on this worker or another: a table that is
// missing, a format that this version cannot read. Process and a Factory may return it, also
// wrapped. The whole worker then stops: it drains all its shards, and the coordinator's Run
// returns the error. The next owner of the shard will meet the same error, so in the end the
// whole group stops. Fatal(nil) is nil.
func Fatal(err error) error {
	if err == nil {
		return nil
	}
	return &fatalError{err}
}

// IsFatal reports whether err was made with Fatal, or wraps an error that was. What a panic
// carried does not count.
func IsFatal(err error) bool { return marked[*fatalError](err) }

type haltError struct{ err error }

func (e *haltError) Error() string { return e.err.Error() }
func (e *haltError) Unwrap() error { return e.err }

type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

// marked reports whether err is or wraps a T, as errors.As does, but does not look
// into a panic: a mark about a panic counts, one that a panic carried does not.
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

// PanicError is a panic of user code that the worker has contained. The processor is
// restarted as after any other error.
type PanicError struct {
	Where string // the call that panicked: "Process", "Factory", "Checkpoints.Load" and the like
	Value any    // the argument of panic
	Stack []byte // of the panicking goroutine, as by runtime/debug.Stack
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic in %s: %v", e.Where, e.Value) }

// Unwrap returns the argument of panic, if it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
