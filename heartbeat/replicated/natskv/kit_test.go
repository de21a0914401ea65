package natskv

import (
	"context"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// lone starts a server for one test.
func lone(t *testing.T, cfg ...embedded.Config) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(t.TempDir(), cfg...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// open returns the store of a group on a server, through a connection of its own.
func open(t *testing.T, server *embedded.Server, cfg Config, opts ...nats.Option) *store {
	t.Helper()
	conn, err := server.Connect(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	cfg.Conn, cfg.Group = conn, "orders"
	return newStore(t, cfg)
}

// newStore returns the store of a Config.
func newStore(t *testing.T, cfg Config) *store {
	t.Helper()
	s, err := NewStore(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s.(*store)
}

// api returns the bucket's JetStream.
func api(t *testing.T, b *bucket) jetstream.JetStream {
	t.Helper()
	js, err := b.api()
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// boundTo returns the bucket's stream.
func boundTo(t *testing.T, b *bucket) jetstream.Stream {
	t.Helper()
	s, err := b.bind(soon(t), true)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func recordOf(member string) replicated.Key {
	return replicated.Key{Kind: replicated.KindRecord, Name: member}
}

// swapped swaps, and fails the test on an error.
func swapped(t *testing.T, s *store, k replicated.Key, old uint64) uint64 {
	t.Helper()
	at, err := s.Swap(soon(t), k, old, []byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// told returns what a new watch reports before it has caught up.
func told(t *testing.T, s *store, kind replicated.Kind) (there []replicated.Event) {
	t.Helper()
	ctx, stop := context.WithCancel(soon(t))
	defer stop()
	caughtUp := false
	err := s.Watch(ctx, kind, func(e replicated.Event) {
		if e.Key == (replicated.Key{}) {
			caughtUp = true
			stop()
		} else {
			there = append(there, e)
		}
	})
	if !caughtUp {
		t.Fatalf("the watch has not caught up: %v", err)
	}
	return there
}
