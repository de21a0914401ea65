package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// newDemoted returns a pool of idle connections to a read-only server, and a function after
// which new connections lead to a writable one.
func newDemoted(t *testing.T, conns int32) (pool *pgxpool.Pool, promote func()) {
	var writable atomic.Bool
	pool, _ = named(t, conns, func(cfg *pgxpool.Config) {
		cfg.AfterConnect = func(ctx context.Context, c *pgx.Conn) error {
			if writable.Load() {
				return nil
			}
			_, err := c.Exec(ctx, `SET default_transaction_read_only = on`)
			return err
		}
	})
	var held []*pgxpool.Conn
	for range conns {
		c, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	for _, c := range held {
		c.Release()
	}
	return pool, func() { writable.Store(true) }
}

// Some tests below do not run in parallel, because the server allows a hundred connections.

// After a failover, the pool may lead to a server that has become a standby and still
// answers. The first refused write resets the pool.
func TestPoolLeavesAReadOnlyServer(t *testing.T) {
	cfg := groupConfig(t)
	var promote func()
	cfg.Pool, promote = newDemoted(t, 4)
	s := dial(t, cfg)
	w := follow(t, s, replicated.KindRecord)
	w.next(replicated.Event{})
	promote()
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			_, err := s.Swap(t.Context(), record(fmt.Sprint("a", i)), 0, []byte("x"))
			if err != nil && (!hasCode(err, codeReadOnly) || !strings.Contains(err.Error(), "target_session_attrs=read-write")) {
				t.Errorf("it was refused with %v", err)
			}
			if err != nil && !heartbeat.Retryable(err) {
				t.Errorf("a failover that is not over ends the worker: %v", err)
			}
		})
	}
	all.Wait()
	for i := range 4 {
		swap(t, s, record(fmt.Sprint("b", i)), 0, "x")
	}
	if err := w.ends(); err == nil {
		t.Error("the watch goes on, over a connection to the former server")
	}
}

// Of the calls that a read-only server refuses, one resets the pool. Calls that began
// before the reset say nothing about the connections made since.
func TestReadOnlyResetsOnce(t *testing.T) {
	t.Parallel()
	var s outageDetector
	began := time.Now()
	if !s.readOnly(began) {
		t.Error("the first refusal does not reset the pool")
	}
	if s.readOnly(began) {
		t.Error("a call from before the reset resets the pool again")
	}
	if s.readOnly(time.Now()) {
		t.Error("a call right after the reset resets the pool again")
	}
	s.readOnlyAt = s.readOnlyAt.Add(-2 * resetPause)
	if s.readOnly(s.readOnlyAt.Add(-time.Second)) {
		t.Error("a late call from before the reset resets the pool again")
	}
	if !s.readOnly(time.Now()) {
		t.Error("a server that takes no writes for long is left once only")
	}
}

func TestErrorsThatOnlyAnOperatorMends(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		code         string
		refused      bool
		privilege    bool // it is about one operation
		missingThere string
	}{
		{"3D000", true, false, "database"},
		{"28000", true, false, "pg_hba.conf"},
		{"28P01", true, false, "password"},
		{"0P000", true, false, "role"},
		{"42501", true, true, "grant"},
		{"3F000", true, false, "Migrate"},
		{"42P01", true, false, "table"},
		{"42703", true, false, "column"},
		{"42704", true, false, "settings"},
		{"42883", true, false, "PostgreSQL 14"},
		{"25006", false, false, "target_session_attrs"},
		{"53300", false, false, ""}, // too many connections
		{"57P01", false, false, ""}, // the administrator shuts it down
		{"57P03", false, false, ""}, // it is starting
		{"40001", false, false, ""},
		{"42P05", false, false, ""}, // a pooler has the prepared statement of another
	} {
		var p successes
		bare := fmt.Errorf("connect: %w", &pgconn.PgError{Code: c.code, Message: "no"})
		explain := func() error { return p.explain(bare, "swap", replicated.KindRecord) }
		before := explain()
		if errors.Is(before, heartbeat.ErrUnauthorized) != c.refused || heartbeat.Retryable(before) == c.refused {
			t.Errorf("%s: before anything has worked it is %v", c.code, before)
		}
		if !hasCode(before, c.code) || !strings.Contains(before.Error(), c.missingThere) {
			t.Errorf("%s: it says %v", c.code, before)
		}
		p.connected.Store(true)
		if now := explain(); heartbeat.Retryable(now) == (c.refused && c.privilege) {
			t.Errorf("%s: after something else has worked it is %v", c.code, now)
		}
		p.note("swap", replicated.KindRecord)
		if now := explain(); errors.Is(now, heartbeat.ErrUnauthorized) != c.refused || !heartbeat.Retryable(now) {
			t.Errorf("%s: after it has worked it is %v", c.code, now)
		}
	}
}

// revoked returns the name of a schema whose owner has lost a privilege on the records.
func revoked(t *testing.T, privilege string) string {
	t.Helper()
	name := ownSchema(t)
	if err := Migrate(t.Context(), shared, name); err != nil {
		t.Fatal(err)
	}
	if _, err := shared.Exec(t.Context(), `REVOKE `+privilege+` ON `+name+`.record FROM CURRENT_USER`); err != nil {
		t.Fatal(err)
	}
	return name
}

// A worker that loses a privilege keeps retrying, because the privilege may come back before its
// lease ends.
func TestPrivilegeThatIsRevoked(t *testing.T) {
	needServer(t)
	cfg := groupConfig(t)
	cfg.Schema = revoked(t, "DELETE")
	s := dial(t, cfg)
	rev := swap(t, s, record("a"), 0, "x")
	rev = swap(t, s, record("a"), rev, "x")
	err := s.Delete(t.Context(), record("a"), rev)
	if !errors.Is(err, heartbeat.ErrUnauthorized) || heartbeat.Retryable(err) || !strings.Contains(err.Error(), "grant the role") {
		t.Errorf("a privilege that was never there: %v", err)
	}
	if _, err := shared.Exec(t.Context(), `REVOKE UPDATE ON `+cfg.Schema+`.record FROM CURRENT_USER`); err != nil {
		t.Fatal(err)
	}
	_, err = s.Swap(t.Context(), record("a"), rev, []byte("y"))
	if !errors.Is(err, heartbeat.ErrUnauthorized) || !heartbeat.Retryable(err) {
		t.Errorf("a privilege that was there: %v", err)
	}
	reads := map[string]func() error{
		"get":   func() error { _, err := s.Get(t.Context(), record("a")); return err },
		"list":  func() error { _, err := s.Keys(t.Context(), replicated.KindRecord); return err },
		"older": func() error { _, _, err := s.OlderRecords(t.Context(), time.Minute); return err },
	}
	for what, read := range reads {
		if err := read(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	if _, err := shared.Exec(t.Context(), `REVOKE SELECT ON `+cfg.Schema+`.record FROM CURRENT_USER`); err != nil {
		t.Fatal(err)
	}
	for what, read := range reads {
		if err := read(); !errors.Is(err, heartbeat.ErrUnauthorized) || !heartbeat.Retryable(err) {
			t.Errorf("%s, whose privilege was there: %v", what, err)
		}
	}
}

// An operation that never worked, and that only an operator can repair, ends the worker at
// its first heartbeat.
func TestWorkerEndsWhereItCanNeverWork(t *testing.T) {
	needServer(t)
	for _, c := range []struct {
		code   string
		change func(cfg *Config, pool *pgxpool.Config)
	}{
		{"3D000", func(_ *Config, pool *pgxpool.Config) { pool.ConnConfig.Database = "nothing" }},
		{"28000", func(_ *Config, pool *pgxpool.Config) { pool.ConnConfig.User = "nobody_at_all" }},
		{"42501", func(cfg *Config, _ *pgxpool.Config) { cfg.Schema = revoked(t, "INSERT") }},
	} {
		cfg := groupConfig(t)
		cfg.Shards = shardset.Range("orders", 1)
		cfg.Pool, _ = named(t, 2, func(pool *pgxpool.Config) { c.change(&cfg, pool) })
		client, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		worker, err := coordinator.New(coordinator.Config{
			Group: client, Member: "a", Checkpoints: client,
			Processor: func(context.Context, shardset.Lease) (processor.Processor, error) { return nil, errors.New("none") },
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		err = worker.Run(ctx)
		if ctx.Err() != nil || !hasCode(err, c.code) || !errors.Is(err, heartbeat.ErrUnauthorized) {
			t.Errorf("%s: Run ended with %v", c.code, err)
		}
	}
}
