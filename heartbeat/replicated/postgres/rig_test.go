package postgres

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// poll waits until a condition is true.
func poll(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it is not true that %s", what)
		}
	}
}

// blocked waits until a statement of this application waits for a lock.
func blocked(t *testing.T, application string) {
	t.Helper()
	poll(t, "a statement waits for a lock", func() (waits bool) {
		err := shared.QueryRow(t.Context(), `SELECT count(*) > 0 FROM pg_stat_activity
			WHERE application_name = $1 AND wait_event_type = 'Lock'`, application).Scan(&waits)
		return waits && err == nil
	})
}

// named returns a pool whose connections have a unique application name.
func named(t *testing.T, conns int32, change func(cfg *pgxpool.Config)) (*pgxpool.Pool, string) {
	needServer(t)
	cfg := shared.Config()
	name := newSchema()
	cfg.ConnConfig.RuntimeParams["application_name"] = name
	cfg.MaxConns = conns
	if change != nil {
		change(cfg)
	}
	p, err := pgxpool.NewWithConfig(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, name
}

// queries counts the queries of a pool.
type queries struct{ n atomic.Int64 }

func (q *queries) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	q.n.Add(1)
	return ctx
}

func (q *queries) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// patience limits what must happen soon.
const patience = 20 * time.Second

// watcher is a running watch.
type watcher struct {
	t      *testing.T
	events chan replicated.Event
	done   chan error // the result of Watch
	cancel context.CancelFunc
}

// follow starts a watch that ends with the test.
func follow(t *testing.T, s replicated.Store, kind replicated.Kind) *watcher {
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{t: t, events: make(chan replicated.Event, 10_000), done: make(chan error, 1), cancel: cancel}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.done <- s.Watch(ctx, kind, func(e replicated.Event) { w.events <- e })
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return w
}

func event(k replicated.Key, rev uint64, data string) replicated.Event {
	return replicated.Event{Key: k, Value: replicated.Value{Data: []byte(data), Revision: rev}}
}

// get returns the next event.
func (w *watcher) get() replicated.Event {
	w.t.Helper()
	select {
	case e := <-w.events:
		return e
	case err := <-w.done:
		w.t.Fatalf("the watch ended: %v", err)
	case <-time.After(patience):
		w.t.Fatal("the watch tells nothing")
	}
	panic("not reached")
}

// next fails the test unless the next event is want.
func (w *watcher) next(want replicated.Event) {
	w.t.Helper()
	if got := w.get(); got.Key != want.Key || got.Value.Revision != want.Value.Revision ||
		string(got.Value.Data) != string(want.Value.Data) || (got.Value.Data == nil) != (want.Value.Data == nil) {
		w.t.Fatalf("the watch told %v, want %v", got, want)
	}
}

// ends returns the result of Watch.
func (w *watcher) ends() error {
	w.t.Helper()
	select {
	case err := <-w.done:
		return err
	case <-time.After(patience):
		w.t.Fatal("the watch does not end")
	}
	panic("not reached")
}
