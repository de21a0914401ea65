package cli

import (
	"context"
	"errors"
	"fmt"
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
// stream's Replicas.
func Ready(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, s *partitioned.Stream) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("nothing after "+patience.String()))
	defer cancel()
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		err := try(ctx, nc, js, s)
		var unsuited *partitioned.UnsuitedError
		if err == nil || errors.As(err, &unsuited) {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

var errUnreachable = errors.New("no server of -servers answers")

func try(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, s *partitioned.Stream) error {
	if !nc.IsConnected() {
		return errors.Join(errUnreachable, nc.LastError())
	}
	if s.Replicas == 0 {
		s.Replicas = replicas(nc)
	}
	// Before there is a leader, nobody answers.
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	return s.Ensure(ctx, js)
}

// replicas returns how many servers keep what is made, if nobody says: three where there
// is a cluster.
func replicas(nc *nats.Conn) int {
	if nc.ConnectedClusterName() != "" {
		return 3
	}
	return 1
}
