package natskv

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

var documentOf = replicated.Key{Kind: replicated.KindDocument}

// narrow starts a server that allows two consumers for a stream, unless the stream has its
// own limit.
func narrow(t *testing.T) *embedded.Server {
	return lone(t, embedded.Config{Adjust: func(o *server.Options) { o.JetStreamLimits.DefaultMaxConsumers = 2 }})
}

// followed is a running watch.
type followed struct {
	events chan replicated.Event
	ended  chan error
}

func followAll(t *testing.T, s *store, kind replicated.Kind) *followed {
	ctx, stop := context.WithCancel(context.Background())
	f := &followed{events: make(chan replicated.Event, 1000), ended: make(chan error, 1)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.ended <- s.Watch(ctx, kind, func(e replicated.Event) { f.events <- e })
	}()
	t.Cleanup(func() { stop(); <-done })
	return f
}

// await waits until the watch has told a version; revision zero: that it has caught up.
func (f *followed) await(t *testing.T, revision uint64) (e replicated.Event) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case e = <-f.events:
			if e.Value.Revision == revision && (revision > 0 || e.Key == replicated.Key{}) {
				return e
			}
		case err := <-f.ended:
			t.Fatalf("the watch ended: %v", err)
		case <-late:
			t.Fatalf("the watch has not told revision %d", revision)
		}
	}
}

// However many processes watch the document, its stream has no consumer, and all of them
// report a change.
func TestDocumentWatchesAreNoConsumers(t *testing.T) {
	s := narrow(t)
	writer := open(t, s, Config{})
	at := swapped(t, writer, documentOf, 0)
	var all []*followed
	for range 10 {
		f := followAll(t, open(t, s, Config{}), replicated.KindDocument)
		f.await(t, 0)
		all = append(all, f)
	}
	at = swapped(t, writer, documentOf, at)
	for _, f := range all {
		f.await(t, at)
	}
	deleted(t, writer, documentOf, at)
	for _, f := range all {
		if e := <-f.events; e.Value.Data != nil || e.Value.Revision <= at {
			t.Errorf("a deletion of %d is told as %+v", at, e)
		}
	}
	info, err := boundTo(t, writer.documents).Info(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Consumers != 0 {
		t.Errorf("ten watches of the document have %d consumers", info.State.Consumers)
	}
}

// A bucket of this package allows more watches of records than the server's default.
func TestRecordWatchesExceedTheDefault(t *testing.T) {
	s := narrow(t)
	writer := open(t, s, Config{})
	at := swapped(t, writer, recordOf("a"), 0)
	for range 5 {
		followAll(t, open(t, s, Config{}), replicated.KindRecord).await(t, 0)
	}
	if limit := boundTo(t, writer.records).CachedInfo().Config.MaxConsumers; limit != recordWatches || at == 0 {
		t.Errorf("the bucket takes %d watches", limit)
	}
}

// If the limit of a bucket allows no more watches, the error says so and how to raise the
// limit, and is not retryable. After the limit is raised, a watch works.
func TestNoPlaceForAWatch(t *testing.T) {
	s := narrow(t)
	worker := open(t, s, Config{})
	cfg := worker.records.settings()
	cfg.MaxConsumers = -1
	if _, err := api(t, worker.records).CreateStream(soon(t), cfg); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		followAll(t, worker, replicated.KindRecord).await(t, 0)
	}
	err := worker.Watch(soon(t), replicated.KindRecord, func(replicated.Event) { t.Error("it told something") })
	var lasts interface{ Retryable() bool }
	if !hasCode(err, 10026) || !errors.As(err, &lasts) || lasts.Retryable() ||
		!strings.Contains(err.Error(), "nats stream edit KV_M_rollcall --max-consumers=100000") {
		t.Errorf("a watch too many returned %v", err)
	}
	cfg.MaxConsumers = recordWatches
	if _, err := api(t, worker.records).UpdateStream(soon(t), cfg); err != nil {
		t.Fatal(err)
	}
	followAll(t, worker, replicated.KindRecord).await(t, 0)
}

// If the limit of the account is lower, the bucket gets that limit.
func TestBucketInANarrowAccount(t *testing.T) {
	file := filepath.Join(t.TempDir(), "accounts.conf")
	const accounts = `
		accounts { narrow { jetstream { max_consumers: 10 }, users: [{ user: worker, password: "" }] } }
		no_auth_user: worker`
	if err := os.WriteFile(file, []byte(accounts), 0o600); err != nil {
		t.Fatal(err)
	}
	written, err := server.ProcessConfigFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := lone(t, embedded.Config{Adjust: func(o *server.Options) {
		o.Accounts, o.Users, o.NoAuthUser = written.Accounts, written.Users, written.NoAuthUser
	}})
	worker := open(t, s, Config{})
	swapped(t, worker, recordOf("a"), 0)
	if limit := boundTo(t, worker.records).CachedInfo().Config.MaxConsumers; limit != -1 {
		t.Errorf("in an account with a limit of 10 the bucket was made with %d", limit)
	}
}

// A write without a hint, by another program or by a process that has died, is reported a
// little later.
func TestDocumentWithoutAHint(t *testing.T) {
	s := lone(t)
	cfg := Config{TTL: time.Second}
	watching, writing := open(t, s, cfg), open(t, s, cfg)
	at := swapped(t, writing, documentOf, 0)
	f := followAll(t, watching, replicated.KindDocument)
	f.await(t, 0)
	_, subject, err := writing.locate(documentOf)
	if err != nil {
		t.Fatal(err)
	}
	ack, err := api(t, writing.documents).PublishMsg(soon(t), &nats.Msg{Subject: subject, Data: []byte("quietly")},
		jetstream.WithExpectLastSequencePerSubject(at))
	if err != nil {
		t.Fatal(err)
	}
	if e := f.await(t, ack.Sequence); string(e.Value.Data) != "quietly" {
		t.Errorf("it tells %q", e.Value.Data)
	}
}

// A hint only causes a read, whatever it says. The revision in it may not be visible yet.
func TestHintsAreNoTruth(t *testing.T) {
	s := lone(t)
	watching, writing := open(t, s, Config{}), open(t, s, Config{})
	at := swapped(t, writing, documentOf, 0)
	f := followAll(t, watching, replicated.KindDocument)
	f.await(t, 0)
	for _, text := range []string{"", "-1", "0", "18446744073709551615", "99999999999999999999", "{}"} {
		if err := writing.conn.Publish(writing.hints, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 {
		at = swapped(t, writing, documentOf, at)
		f.await(t, at)
	}
	select {
	case e := <-f.events:
		t.Errorf("of false hints the watch tells %+v", e)
	case err := <-f.ended:
		t.Errorf("false hints have ended the watch: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
}

// A watch ends if the document goes back or is gone.
func TestDocumentThatGoesBack(t *testing.T) {
	s := lone(t)
	cfg := Config{TTL: time.Second}
	watching, writing := open(t, s, cfg), open(t, s, cfg)
	at := swapped(t, writing, documentOf, 0)
	f := followAll(t, watching, replicated.KindDocument)
	f.await(t, 0)
	if err := api(t, writing.documents).DeleteStream(soon(t), writing.documents.stream); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-f.ended:
		if !errors.Is(err, errReplaced) {
			t.Errorf("the stream of revision %d is gone, and the watch returned %v", at, err)
		}
	case <-time.After(20 * time.Second):
		t.Error("the watch has not noticed that the document is gone")
	}
}

// A connection that does not receive its own messages works too.
func TestWatchWithoutEcho(t *testing.T) {
	s := lone(t)
	watching, writing := open(t, s, Config{}, nats.NoEcho()), open(t, s, Config{}, nats.NoEcho())
	f := followAll(t, watching, replicated.KindDocument)
	f.await(t, 0)
	f.await(t, swapped(t, writing, documentOf, 0))
}
