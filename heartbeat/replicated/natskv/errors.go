package natskv

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// isConflict reports whether a write was refused because of the revision of the key. A single
// server and a replicated stream use different codes for that.
func isConflict(err error) bool {
	if errors.Is(err, jetstream.ErrKeyRevisionMismatch) || errors.Is(err, jetstream.ErrKeyExists) {
		return true
	}
	return hasCode(err, jetstream.JSErrCodeStreamWrongLastSequence) || underWay(err)
}

// underWay reports whether the leader of a replicated stream refused a write because
// another write of the key is under way.
func underWay(err error) bool {
	return hasCode(err, jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

func hasCode(err error, code jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == code
}

// noStream reports whether a request found no stream, or a stream with other settings than
// its handle has. In these cases nothing was written. The stream was deleted, was lost in a
// restart, or has no leader at the moment.
func noStream(err error) bool {
	return errors.Is(err, nats.ErrNoResponders) || errors.Is(err, jetstream.ErrNoStreamResponse) ||
		errors.Is(err, jetstream.ErrStreamNotFound) || hasCode(err, codeNoTTL)
}

// noLeader reports whether a cluster, or a stream, has no leader at the moment.
func noLeader(err error) bool { return hasCode(err, codeNoLeader) }

// codeNoLeader is the code of "JetStream system temporarily unavailable".
const codeNoLeader jetstream.ErrorCode = 10008

// finalError is an error that no retry can solve.
type finalError struct{ error }

func (e finalError) Unwrap() error   { return e.error }
func (e finalError) Retryable() bool { return false }

// codeMaxConsumers is the code of a server or stream that takes no more consumers.
const codeMaxConsumers jetstream.ErrorCode = 10026

// final marks the error of a call on a closed connection. Nothing opens the connection
// again, so the worker must end instead of retrying for ever.
func final(err error) error {
	if errors.Is(err, nats.ErrConnectionClosed) {
		return finalError{err}
	}
	return err
}

// codeNoTTL is the code for a message with a TTL in a stream that allows none.
const codeNoTTL jetstream.ErrorCode = 10166

// explain wraps the error of a call on a key. If the connection is closed, the error is
// final, because no retry opens it. Otherwise, if the context has ended, the error says that
// first, because the end of a context causes many kinds of errors.
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
