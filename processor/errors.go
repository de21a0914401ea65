package processor

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rollcall-go/rollcall/shardset"
)

// These errors say why Process must return. They are the causes of its context
// (context.Cause) and the results of Shard.Cause.
var (
	// ErrRevoked: the group revoked the shard, for another member. This member owns the
	// shard and can commit until Process returns.
	ErrRevoked = errors.New("shard was revoked")

	// ErrShutdown: the worker is shutting down. It owns the shard and can commit until
	// Process returns.
	ErrShutdown = errors.New("worker is shutting down")

	// ErrLeaseLost: the lease has ended, because no heartbeat was answered in time or
	// because the group has removed the member. Another member may already own the shard,
	// so commits are refused.
	ErrLeaseLost = errors.New("lease on the shard was lost")

	// ErrNotOwner: the store refused a load or a commit, because this member does not own
	// the shard under this epoch any more.
	ErrNotOwner = shardset.ErrNotOwner
)

var (
	// ErrShardClosed is what Process returns when it has committed the last position of a
	// closed shard. The group then grants the shard to no member. If the group grants the
	// shard anyway, the worker calls Process again, after pauses that grow.
	ErrShardClosed = errors.New("shard is closed")

	// ErrReturned: Process has returned, so its Shard refuses to commit. After the return
	// ErrReturned is also the cause of the context of Process, unless the context ended
	// before the return.
	ErrReturned = errors.New("processor has returned")

	// ErrEmptyPosition: the empty position cannot be committed, because it means that
	// nothing was ever committed.
	ErrEmptyPosition = errors.New("position is empty")

	// ErrGoexit: user code ended the goroutine of Process with runtime.Goexit, as
	// testing.T.FailNow does. The worker starts the shard again, as after any other error.
	ErrGoexit = errors.New("processor ended its goroutine with runtime.Goexit")

	// ErrNoProgress: a processor has given no sign of progress for
	// coordinator.Config.NoProgressAfter. The worker reports this, but stops nothing.
	ErrNoProgress = errors.New("no progress")
)

// Halt marks an error that affects one shard and that a retry cannot fix: a record that
// cannot be read, a position that was deleted, a damaged checkpoint. Process, a Factory and
// Checkpoints.Load may return a marked error, also wrapped.
//
// The worker does not start the shard again. It keeps the shard, so that no other member meets
// the same error, and shows the error in the status, the log and a hook. No data is lost: fix
// the cause and restart the worker.
//
// If the shard is already revoked or lost, the mark has no effect. If an error is also marked
// with Fatal, Fatal counts. Halt(nil) is nil.
func Halt(err error) error {
	if err == nil {
		return nil
	}
	return &haltError{err}
}

// IsHalt reports whether err is, or wraps, an error marked with Halt. It does not look into a
// PanicError: a panic with a marked error is a panic like any other.
func IsHalt(err error) bool { return marked[*haltError](err) }

// Fatal marks an error that a retry cannot fix, on this worker or on another: a missing table,
// a format that this version cannot read. Process and a Factory may return a marked error,
// also wrapped.
//
// The worker drains all its shards, and the Run method of its Coordinator returns the error.
// The next owner of the shard meets the same error, so in the end the whole group stops.
// Fatal(nil) is nil.
func Fatal(err error) error {
	if err == nil {
		return nil
	}
	return &fatalError{err}
}

// IsFatal reports whether err is, or wraps, an error marked with Fatal. It does not look into
// a PanicError.
func IsFatal(err error) bool { return marked[*fatalError](err) }

type haltError struct{ err error }

func (e *haltError) Error() string { return e.err.Error() }
func (e *haltError) Unwrap() error { return e.err }

type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

// marked reports whether err is or wraps a T. Unlike errors.As, it does not look into a
// PanicError: a user who writes panic(Halt(err)) has not returned a marked error.
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

// PanicError is a panic of user code that the worker has recovered. The worker then starts the
// shard again, as after any other error.
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
