package natskv_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

func password(p string) func(*server.Options) {
	return func(o *server.Options) { o.Username, o.Password, o.SyncAlways = "worker", p, false }
}

// A connection survives refused credentials, however often: somebody may be changing them
// on the servers.
func TestCredentialsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := embedded.Start(dir, embedded.Config{Adjust: password("right")})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { s.Close() }()
	refused, closed := make(chan struct{}, 1000), make(chan struct{})
	conn, err := nats.Connect(s.ClientURL(), append(natskv.Options(), nats.UserInfo("worker", "right"),
		nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0), nats.IgnoreDiscoveredServers(),
		nats.ClosedHandler(func(*nats.Conn) { close(closed) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if errors.Is(err, nats.ErrAuthorization) {
				refused <- struct{}{}
			}
		}))...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	store := newStore(t, natskv.Config{Conn: conn, Group: "orders"})
	at := swap(t, store, document, 0, "the group")
	again := func(p string) {
		t.Helper()
		cfg := s.Config()
		s.Close()
		cfg.Adjust = password(p)
		if s, err = embedded.Start(dir, cfg); err != nil {
			t.Fatal(err)
		}
	}
	again("wrong")
	for n := range 4 {
		select {
		case <-refused:
		case <-closed:
			t.Fatalf("the connection was closed for good when it had been refused %d times", n)
		case <-time.After(20 * time.Second):
			t.Fatalf("the connection was refused %d times only", n)
		}
	}
	again("right")
	if v := get(t, store, document); v.Revision != at {
		t.Errorf("the document is read at %d, want %d", v.Revision, at)
	}
}

// The error for servers that cannot be reached names their addresses, and no password.
func TestUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := nats.Connect("nats://worker:canary@"+at, natskv.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	store := newStore(t, natskv.Config{Conn: conn, Group: "orders"})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = store.Get(ctx, document)
	if err == nil {
		t.Fatal("there was an answer")
	}
	if text := err.Error(); !strings.Contains(text, "no connection to "+at) || strings.Contains(text, "canary") || strings.Contains(text, "\n") {
		t.Errorf("the error is %q, want one line that names %s, without the password", text, at)
	}
	if !errors.Is(err, context.DeadlineExceeded) || !heartbeat.Retryable(err) {
		t.Errorf("the error is %v, want one that may pass", err)
	}
}

// A worker ends when its connection is closed.
func TestClosedConnectionEndsTheWorker(t *testing.T) {
	t.Parallel()
	f := alone()
	cfg := f.config()
	cfg.Conn, cfg.TTL, cfg.Shards = f.connect(t, 0), 2*time.Second, shardset.Range("orders", 1)
	client, err := natskv.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	working := make(chan struct{})
	c, err := coordinator.New(coordinator.Config{
		Group: client, Member: "a", Interval: 500 * time.Millisecond,
		Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			close(working)
			<-s.Revoked()
			return nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Run(soon(t)) }()
	select {
	case <-working:
	case err := <-ended:
		t.Fatal(err)
	}
	cfg.Conn.Close()
	if err := <-ended; !errors.Is(err, nats.ErrConnectionClosed) {
		t.Errorf("the worker ended with %v, want %v", err, nats.ErrConnectionClosed)
	}
}

// Every call on a closed connection returns an error that is not retryable, also after the
// end of its context.
func TestClosedConnectionIsFinal(t *testing.T) {
	f := alone()
	cfg := f.config()
	cfg.Conn = f.connect(t, 0)
	s := newStore(t, cfg)
	at := swap(t, s, document, 0, "the group")
	cfg.Conn.Close()
	ctx := soon(t)
	_, got := s.Get(ctx, document)
	_, swapped := s.Swap(ctx, document, at, []byte("late"))
	for call, err := range map[string]error{
		"get": got, "swap": swapped, "deletion": s.Delete(ctx, document, at),
		"watch": s.Watch(ctx, replicated.KindDocument, func(replicated.Event) {}),
		"copy":  natskv.Copy(ctx, cfg, cfg),
	} {
		if !errors.Is(err, nats.ErrConnectionClosed) || heartbeat.Retryable(err) {
			t.Errorf("%s: %v may pass: %t; want a final %v", call, err, heartbeat.Retryable(err), nats.ErrConnectionClosed)
		}
	}
}
