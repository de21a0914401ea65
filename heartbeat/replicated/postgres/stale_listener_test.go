//go:build linux

package postgres

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// An old primary that lives on after a failover answers its listener, and tells nothing of
// what is written to the new one. The watch ends, and the next one listens to the new one.
func TestListenerThatStaysBehind(t *testing.T) {
	t.Parallel()
	needServer(t)
	srv := newServer(t)
	var target atomic.Pointer[pgx.ConnConfig]
	target.Store(shared.Config().ConnConfig)
	cfg := groupConfig(t)
	cfg.Pool, _ = named(t, 4, func(p *pgxpool.Config) {
		p.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
			to := target.Load()
			c.Host, c.Port, c.User, c.Database = to.Host, to.Port, to.User, to.Database
			return nil
		}
	})
	s := dial(t, cfg)
	s.checkEvery = time.Second
	w := follow(t, s, replicated.KindDocument)
	w.next(replicated.Event{})
	select {
	case err := <-w.done:
		t.Fatalf("a watch that hears nothing while nothing happens ended: %v", err)
	case <-time.After(3 * s.checkEvery):
	}
	to := srv.pool("rollcall", 1)
	if err := Migrate(t.Context(), to, cfg.Schema); err != nil {
		t.Fatal(err)
	}
	target.Store(to.Config().ConnConfig)
	cfg.Pool.Reset()
	if err := w.ends(); !errors.Is(err, ErrNoNotifications) {
		t.Errorf("the pool leads to another server, and the watch returned %v, want ErrNoNotifications", err)
	}
	w = follow(t, s, replicated.KindDocument)
	w.next(replicated.Event{})
	rev := swap(t, s, document, 0, "on the new one")
	w.next(event(document, rev, "on the new one"))
}

// A standby refuses LISTEN: the error says where the connection leads.
func TestListenerOnAStandby(t *testing.T) {
	t.Parallel()
	needServer(t)
	srv := newServer(t)
	_ = srv.main.Process.Signal(syscall.SIGINT)
	_ = srv.main.Wait()
	signal := filepath.Join(srv.data(), "standby.signal")
	if err := os.WriteFile(signal, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	srv.start()
	cfg := groupConfig(t)
	var err error
	if cfg.Listen, err = pgx.ParseConfig(srv.url("rollcall", "rollcall")); err != nil {
		t.Fatal(err)
	}
	s := dial(t, cfg)
	err = s.Watch(t.Context(), replicated.KindDocument, func(replicated.Event) { t.Error("it told something") })
	if !errors.Is(err, ErrNoNotifications) || !strings.Contains(err.Error(), "standby") {
		t.Errorf("a watch whose listener leads to a standby returned %v", err)
	}
}
