package natskv

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

// A watch whose consumer continues as before still notices that the bucket's stream was
// replaced or has lost writes.
func TestCheck(t *testing.T) {
	server, err := embedded.Start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := server.Connect()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	s := newStore(t, Config{Conn: conn, Group: "orders"})
	at, err := s.Swap(ctx, replicated.Key{Kind: replicated.KindRecord, Name: "a"}, 0, []byte("there"))
	if err != nil {
		t.Fatal(err)
	}
	stream, err := s.records.bind(ctx, true)
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{bucket: s.records, stream: stream, created: stream.CachedInfo().Created, last: at, heartbeat: 10 * time.Second}
	if err := w.check(ctx); err != nil {
		t.Errorf("the stream is as it was, and the watch broke: %v", err)
	}
	w.last = at + 1
	if err := w.check(ctx); !errors.Is(err, errReplaced) {
		t.Errorf("the stream has lost what was told, and the check returned %v", err)
	}
	if s.records.current() != nil {
		t.Error("the stream that has lost something is not looked for anew")
	}
	w.last, w.created = at, w.created.Add(-time.Second)
	if err := w.check(ctx); !errors.Is(err, errReplaced) {
		t.Errorf("the stream is another one, and the check returned %v", err)
	}
	js, err := s.records.api()
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(ctx, s.records.stream); err != nil {
		t.Fatal(err)
	}
	if err := w.check(ctx); !errors.Is(err, errReplaced) {
		t.Errorf("the stream is gone, and the check returned %v", err)
	}
	server.Close()
	w.heartbeat = 100 * time.Millisecond
	if err := w.check(ctx); err != nil {
		t.Errorf("nobody can be asked, and the check returned %v", err)
	}
}

// After the connection was lost, the volatile stream is verified before it is used again.
// The other one is not.
func TestCurrentAfterReconnect(t *testing.T) {
	conn := &nats.Conn{}
	s := newStore(t, Config{Conn: conn, Group: "orders"})
	var stream jetstream.Stream = struct{ jetstream.Stream }{}
	s.records.bound, s.documents.bound = stream, stream
	if s.records.current() != stream || s.documents.current() != stream {
		t.Fatal("a stream that was bound is not current")
	}
	conn.Reconnects++
	if s.records.current() != nil {
		t.Error("the members' records are used unverified after a reconnect")
	}
	if s.documents.current() != stream {
		t.Error("the documents' stream has to be found again after a reconnect")
	}
}
