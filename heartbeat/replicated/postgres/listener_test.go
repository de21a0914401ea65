package postgres

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/replicatedtest"
)

// sessions returns how many connections an application has, and how many of them have
// executed LISTEN last.
func sessions(t *testing.T, application string) (all, listen int) {
	t.Helper()
	err := shared.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE query LIKE '%LISTEN%' OR query = '`+startOfServer+`')
		FROM pg_stat_activity WHERE application_name = $1`, application).Scan(&all, &listen)
	if err != nil {
		t.Fatal(err)
	}
	return all, listen
}

// All watches of a store share one connection besides the pool's. It is closed with the
// last watch.
func TestWatchesShareAConnection(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	pool, name := named(t, 1, nil)
	cfg.Pool = pool
	s := dial(t, cfg)
	for range 3 {
		d, r, again := follow(t, s, replicated.KindDocument), follow(t, s, replicated.KindRecord), follow(t, s, replicated.KindRecord)
		for _, w := range []*watcher{d, r, again} {
			for w.get().Key != (replicated.Key{}) {
			}
		}
		if all, listen := sessions(t, name); all != 2 || listen != 1 {
			t.Errorf("a pool of one connection and three watches have %d sessions, of which %d listen; want 2 and 1", all, listen)
		}
		r.cancel()
		if err := r.ends(); !errors.Is(err, context.Canceled) {
			t.Errorf("a watch that was cancelled returned %v", err)
		}
		key := record(newSchema())
		rev := swap(t, s, key, 0, "x")
		again.next(event(key, rev, "x"))
		l := s.listener
		d.cancel()
		again.cancel()
		_, _ = d.ends(), again.ends()
		select {
		case <-l.done:
		default:
			t.Error("no watch is left, and something listens")
		}
	}
}

// The connection stops listening for a kind without a watch, and listens again for the next
// watch.
func TestWatchOfOneKindComesAndGoes(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	pool, name := named(t, 2, nil)
	cfg.Pool = pool
	s := dial(t, cfg)
	d := follow(t, s, replicated.KindDocument)
	d.next(replicated.Event{})
	rev := swap(t, s, record("a"), 0, "")
	for range 2 {
		r := follow(t, s, replicated.KindRecord)
		r.next(event(record("a"), rev, ""))
		r.next(replicated.Event{})
		rev = swap(t, s, record("a"), rev, "")
		r.next(event(record("a"), rev, ""))
		r.cancel()
		_ = r.ends()
		poll(t, "the record's channel is left", func() (left bool) {
			err := shared.QueryRow(t.Context(), `SELECT count(*) > 0 FROM pg_stat_activity
				WHERE application_name = $1 AND query LIKE 'UNLISTEN%_record"'`, name).Scan(&left)
			return left && err == nil
		})
	}
	rev = swap(t, s, document, 0, "x")
	d.next(event(document, rev, "x"))
}

func TestWatchBreaksAndIsMadeAnew(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	pool, name := named(t, 2, nil)
	cfg.Pool = pool
	s, other := dial(t, cfg), newOther(t, cfg)
	w, d := follow(t, s, replicated.KindRecord), follow(t, s, replicated.KindDocument)
	w.next(replicated.Event{})
	d.next(replicated.Event{})
	_, err := shared.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE application_name = $1 AND query LIKE '%LISTEN%'`, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []*watcher{w, d} {
		if err := w.ends(); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("a watch whose connection was ended returned %v", err)
		}
	}
	rev := swap(t, other, record("a"), 0, "meanwhile")
	w = follow(t, s, replicated.KindRecord)
	w.next(event(record("a"), rev, "meanwhile"))
	w.next(replicated.Event{})
	rev = swap(t, other, record("a"), rev, "later")
	w.next(event(record("a"), rev, "later"))
}

// newOther returns the store of the same group over the shared pool.
func newOther(t *testing.T, cfg Config) *store {
	cfg.Pool = shared
	return dial(t, cfg)
}

// A lost peer is detected although it sends no packet.
func TestWatchOfASilentPeer(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	conn := shared.Config().ConnConfig
	proxy, err := replicatedtest.NewProxy(net.JoinHostPort(conn.Host, strconv.Itoa(int(conn.Port))))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	host, port, _ := net.SplitHostPort(proxy.Addr())
	n, _ := strconv.Atoi(port)
	cfg.Pool, _ = named(t, 2, func(p *pgxpool.Config) {
		p.ConnConfig.Host, p.ConnConfig.Port = host, uint16(n)
		p.ConnConfig.TLSConfig, p.ConnConfig.Fallbacks = nil, nil
	})
	s := dial(t, cfg)
	s.checkEvery = 2 * time.Second
	w := follow(t, s, replicated.KindRecord)
	w.next(replicated.Event{})
	rev := swap(t, newOther(t, cfg), record("a"), 0, "")
	w.next(event(record("a"), rev, ""))
	proxy.Set(replicatedtest.Network{ToServer: replicatedtest.FlowHold, ToClient: replicatedtest.FlowHold})
	if err := w.ends(); err == nil {
		t.Error("the watch ended without an error")
	}
	proxy.Set(replicatedtest.Network{})
	w = follow(t, s, replicated.KindRecord)
	w.next(event(record("a"), rev, ""))
}

// A pooler in transaction mode accepts LISTEN and delivers nothing. So does a connection to
// another database.
func TestWatchWithoutNotifications(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	cfg.Listen = shared.Config().ConnConfig
	cfg.Listen.Database = "postgres"
	if c, err := pgx.ConnectConfig(t.Context(), cfg.Listen); err == nil {
		_ = c.Close(t.Context())
	} else {
		t.Skipf("this needs a second database that the role may connect to, %q: %v", cfg.Listen.Database, err)
	}
	s := dial(t, cfg)
	s.checkEvery = 2 * time.Second
	err := s.Watch(t.Context(), replicated.KindDocument, func(replicated.Event) { t.Error("it told something") })
	if !errors.Is(err, ErrNoNotifications) {
		t.Errorf("the watch returned %v, want ErrNoNotifications", err)
	}
}

// The hooks of the pool are also called for the listening connection, unless Config.Listen
// is set.
func TestListenUsesThePoolsHooks(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	var before, after atomic.Int64
	cfg.Pool, _ = named(t, 1, func(p *pgxpool.Config) {
		p.BeforeConnect = func(context.Context, *pgx.ConnConfig) error { before.Add(1); return nil }
		p.AfterConnect = func(context.Context, *pgx.Conn) error { after.Add(1); return nil }
	})
	follow(t, dial(t, cfg), replicated.KindDocument).next(replicated.Event{})
	if before.Load() != 2 || after.Load() != 2 {
		t.Errorf("the hooks were called %d and %d times for two connections", before.Load(), after.Load())
	}
	cfg.Listen = shared.Config().ConnConfig
	follow(t, dial(t, cfg), replicated.KindDocument).next(replicated.Event{})
	if before.Load() != 2 || after.Load() != 2 {
		t.Errorf("the hooks were called for a connection that is not the pool's")
	}
	refused := errors.New("refused")
	cfg.Listen = nil
	cfg.Pool, _ = named(t, 1, func(p *pgxpool.Config) {
		var n atomic.Int64
		p.AfterConnect = func(context.Context, *pgx.Conn) error {
			if n.Add(1) > 1 {
				return refused
			}
			return nil
		}
	})
	w := follow(t, dial(t, cfg), replicated.KindDocument)
	if err := w.ends(); !errors.Is(err, refused) {
		t.Errorf("the watch returned %v, want the hook's error", err)
	}
}
