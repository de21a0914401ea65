package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
)

const (
	// patience is how long to try to reach the servers and to find the stream: a
	// cluster that has just been started elects its leaders first.
	patience   = 30 * time.Second
	tryTimeout = 2 * time.Second
	pause      = 250 * time.Millisecond
)

// Ready waits for the servers, and makes the stream or checks it. It completes the
// stream's Replicas. What no waiting mends it does not wait for.
func Ready(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, s *partitioned.Stream) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("nothing after "+patience.String()))
	defer cancel()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	var last error // the last one that says more than that there was no time left
	for {
		err := try(ctx, nc, js, s)
		if err == nil || final(err) {
			return err
		}
		if last == nil || ctx.Err() == nil {
			last = err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), last)
		}
	}
}

var (
	errUnreachable = errors.New("no server of -servers answers")
	errSilent      = errors.New("the servers say nothing of the stream")
	errClosed      = errors.New("the connection is closed for good")
	errRefused     = errors.New("a server refuses the user")
)

func try(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, s *partitioned.Stream) error {
	switch {
	case nc.IsClosed():
		return because(errClosed, nc)
	case refused(nc.LastError()) && !nc.IsConnected():
		return because(errRefused, nc)
	case !nc.IsConnected():
		return because(errUnreachable, nc)
	}
	if s.Replicas == 0 {
		s.Replicas = replicas(nc)
	}
	// Before there is a leader, nobody answers.
	limited, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	err := s.Ensure(limited, js)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return because(errSilent, nc)
	}
	return err
}

// refused reports whether a server did not take the credentials. A worker that runs tries
// again then; one that begins has most likely been given wrong ones.
func refused(err error) bool {
	return errors.Is(err, nats.ErrAuthorization) || errors.Is(err, nats.ErrAuthExpired) || errors.Is(err, nats.ErrAuthRevoked) ||
		errors.Is(err, nats.ErrAccountAuthExpired)
}

// because adds to an error what the connection says, which may be nothing.
func because(err error, nc *nats.Conn) error {
	if last := nc.LastError(); last != nil {
		return fmt.Errorf("%w: %w", err, last)
	}
	return err
}

// Codes of the servers.
const (
	// codeNoPeers is said while servers of the cluster are missing. They may come.
	codeNoPeers       jetstream.ErrorCode = 10005
	codeInvalidConfig jetstream.ErrorCode = 10052
	// codeNoCluster refuses several replicas where there is one server.
	codeNoCluster jetstream.ErrorCode = 10074
)

// final reports whether an error stays for as long as nobody changes the flags or the
// servers.
func final(err error) bool {
	var api *jetstream.APIError
	switch {
	case errors.Is(err, errClosed), errors.Is(err, errRefused), errors.As(err, new(*partitioned.UnsuitedError)):
		return true
	case !errors.As(err, &api):
		return false
	}
	return api.Code == http.StatusBadRequest && api.ErrorCode != codeNoPeers ||
		api.ErrorCode == codeInvalidConfig || api.ErrorCode == codeNoCluster
}

// replicas returns how many servers keep what is made, if nobody says: three where there
// is a cluster.
func replicas(nc *nats.Conn) int {
	if nc.ConnectedClusterName() != "" {
		return 3
	}
	return 1
}
