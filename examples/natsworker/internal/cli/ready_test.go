package cli

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

var stream = partitioned.Stream{Name: "ORDERS", Prefix: "orders", Partitions: 1, Replicas: 1}

// serve starts a server whose one user is u, and returns its host and port.
func serve(t *testing.T) string {
	s, err := embedded.Start(t.TempDir(), embedded.Config{Adjust: func(o *server.Options) {
		o.Users = []*server.User{
			{Username: "u", Password: "right"},
			{Username: "mute", Password: "right", Permissions: &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"$JS.>"}}}},
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	u, err := url.Parse(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// connect connects as the programs do.
func connect(t *testing.T, user, host string) (*nats.Conn, jetstream.JetStream) {
	nc, err := (&Servers{URLs: "nats://" + user + "@" + host}).Connect(t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

// What stays as it is is said at once, in one line.
func TestReadyGivesUp(t *testing.T) {
	t.Parallel()
	host := serve(t)
	overlapping := stream
	overlapping.Name = "OTHER"
	closed, closedJS := connect(t, "u:right", host)
	if err := Ready(t.Context(), closed, closedJS, &stream); err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for name, c := range map[string]struct {
		user string
		s    partitioned.Stream
		want string
	}{
		"a wrong password":     {"u:wrong", stream, "a server refuses the user"},
		"three replicas":       {"u:right", partitioned.Stream{Name: "NEW", Prefix: "new", Partitions: 1, Replicas: 3}, "replicas > 1 not supported"},
		"subjects of another":  {"u:right", overlapping, "subjects overlap"},
		"a closed connection":  {"", stream, "the connection is closed for good"},
		"a stream that is not": {"u:right", partitioned.Stream{Name: "ORDERS", Prefix: "x", Partitions: 1, Replicas: 1}, "does not suit"},
	} {
		nc, js := closed, closedJS
		if c.user != "" {
			nc, js = connect(t, c.user, host)
		}
		begin := time.Now()
		err := Ready(t.Context(), nc, js, &c.s)
		if took := time.Since(begin); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") || took > patience/3 {
			t.Errorf("%s: after %v: %v", name, took, err)
		}
	}
}

// When time is over, what is said is not that it was, but why nothing was found before.
func TestReadyKeepsTheReason(t *testing.T) {
	t.Parallel()
	nc, js := connect(t, "mute:right", serve(t))
	end := errors.New("the end")
	// The first try ends by itself, the second one is cut short.
	ctx, cancel := context.WithTimeoutCause(t.Context(), tryTimeout+tryTimeout/2, end)
	defer cancel()
	s := stream
	err := Ready(ctx, nc, js, &s)
	if !errors.Is(err, end) || !errors.Is(err, errSilent) || !errors.Is(err, nats.ErrPermissionViolation) || strings.Contains(err.Error(), "\n") {
		t.Errorf("it returned %v", err)
	}
}
