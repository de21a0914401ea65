package natskv

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// isConflict reports whether a write was refused because of the key's revision: by the
// code of a single server, or by that of a replicated stream.
func isConflict(err error) bool {
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) {
		return true
	}
	return hasCode(err, jetstream.JSErrCodeStreamWrongLastSequence) || underWay(err)
}

// underWay reports whether a write was refused by the leader of a replicated stream
// because it has another one of the key under way, of which it does not know yet how it
// ends.
func underWay(err error) bool {
	return hasCode(err, jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

func hasCode(err error, code jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == code
}

// noStream reports whether a request met no stream, or another than its handle says:
// nothing was written. It has been deleted, or was in the memory of nodes that have
// restarted, or has no leader just now.
func noStream(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
		errors.Is(err, jetstream.ErrStreamNotFound) || hasCode(err, codeNoTTL)
}

// noLeader reports whether a cluster, or a stream in it, has no leader just now who could
// answer.
func noLeader(err error) bool { return hasCode(err, codeNoLeader) }

// codeNoLeader is what a server says then: JetStream system temporarily unavailable.
const codeNoLeader jetstream.ErrorCode = 10008

// finalError is an error that no repetition mends.
type finalError struct{ error }

func (e finalError) Unwrap() error   { return e.error }
func (e finalError) Retryable() bool { return false }

// codeMaxConsumers is what a server says where another consumer would be one too many.
const codeMaxConsumers jetstream.ErrorCode = 10026

// final marks the error of a call on a connection that was closed for good, by the program
// or by its last error. Nothing opens it again, so the worker ends: if it went on, it
// would be one that never works.
func final(err error) error {
	if errors.Is(err, nats.ErrConnectionClosed) {
		return finalError{err}
	}
	return err
}

// codeNoTTL is what a server says of a message that is to expire, where none may.
const codeNoTTL jetstream.ErrorCode = 10166

// explain wraps the error of a call on a key. A context that has ended comes first:
// what failed because of it has many forms. But a connection that is closed stays so when
// there is time again.
func explain(ctx context.Context, what string, k replicated.Key, err error) error {
	if err == nil {
		return nil
	}
	switch ended := ctx.Err(); {
	case isConflict(err):
		err = fmt.Errorf("%w: %w", replicated.ErrConflict, err)
	case errors.Is(err, nats.ErrConnectionClosed):
		err = final(err)
	case ended != nil && !errors.Is(err, ended):
		err = fmt.Errorf("%w: %w", ended, err)
	}
	return fmt.Errorf("natskv: %s of the %s: %w", what, k, err)
}
