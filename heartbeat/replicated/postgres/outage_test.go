package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/replicatedtest"
)

// failover is a server behind an address that moves to another machine: earlier connections
// get no answer any more, and new connections work.
type failover struct {
	*pgxpool.Pool
	before, after *replicatedtest.Proxy
	moved         atomic.Bool
}

// newFailover returns a failover with a pool that has this number of idle connections.
func newFailover(t *testing.T, idle int32) *failover {
	needServer(t)
	f := &failover{}
	server := shared.Config().ConnConfig
	for _, p := range []**replicatedtest.Proxy{&f.before, &f.after} {
		proxy, err := replicatedtest.NewProxy(net.JoinHostPort(server.Host, fmt.Sprint(server.Port)))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(proxy.Close)
		*p = proxy
	}
	f.Pool, _ = named(t, idle, func(cfg *pgxpool.Config) {
		cfg.MinConns = idle
		cfg.ConnConfig.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) {
			to := f.before
			if f.moved.Load() {
				to = f.after
			}
			return new(net.Dialer).DialContext(ctx, network, to.Addr())
		}
	})
	t.Cleanup(f.before.Close) // before the pool, which waits for the dead
	return f
}

// rest waits until all connections of the pool have been idle for so long that the pool
// pings them before use.
func (f *failover) rest(t *testing.T) {
	poll(t, "all connections are idle", func() bool { return f.Stat().IdleConns() == f.Stat().MaxConns() })
	time.Sleep(1100 * time.Millisecond)
}

func (f *failover) move() {
	f.moved.Store(true)
	f.before.Set(replicatedtest.Network{ToServer: replicatedtest.FlowHold, ToClient: replicatedtest.FlowHold})
}

// An outage costs one call, however many connections are idle: the calls do not try one
// after the other.
func TestOutageCostsOneCall(t *testing.T) {
	t.Parallel()
	f := newFailover(t, 8)
	cfg := groupConfig(t)
	cfg.Pool = f.Pool
	s := dial(t, cfg)
	rev := swap(t, s, record("a"), 0, "x")
	f.rest(t)
	f.move()
	within := func(d time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		v, err := s.Get(ctx, record("a"))
		if err == nil && v.Revision != rev {
			t.Errorf("it read %v", v)
		}
		return err
	}
	if err := within(200 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("a call over a dead connection returned %v", err)
	}
	if err := within(5 * time.Second); err != nil {
		t.Errorf("the next call returned %v", err)
	}
}

// A watch that starts in an outage does not wait for ever for a dead connection.
func TestWatchBeginsInOutage(t *testing.T) {
	t.Parallel()
	f := newFailover(t, 2)
	cfg := groupConfig(t)
	cfg.Pool = f.Pool
	s := dial(t, cfg)
	s.checkEvery = 200 * time.Millisecond
	swap(t, s, record("a"), 0, "x")
	f.rest(t)
	f.move()
	w := follow(t, s, record("").Kind)
	if err := w.ends(); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended with %v", err)
	}
}

// A call that waits for a lock, or for a connection of a busy pool, does not reset the
// pool.
func TestLockIsNoOutage(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	cfg.Pool, _ = named(t, 4, nil)
	s := dial(t, cfg)
	rev := swap(t, s, record("a"), 0, "x")
	swap(t, s, record("b"), 0, "x")
	tx, err := shared.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `SELECT FROM `+cfg.Schema+`.record WHERE grp = $1 AND name = 'a' FOR UPDATE`, cfg.Group); err != nil {
		t.Fatal(err)
	}
	locked, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() { _, err := s.Swap(locked, record("a"), rev, []byte("y")); done <- err }()
	poll(t, "the swap has begun", func() bool { return cfg.Pool.Stat().AcquiredConns() == 1 })
	get(t, s, record("b"))
	made := cfg.Pool.Stat().NewConnsCount()
	if err := <-done; !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the swap of a locked row returned %v", err)
	}
	get(t, s, record("b"))
	if n := cfg.Pool.Stat().NewConnsCount(); n != made {
		t.Errorf("%d connections were made again", n-made)
	}

	held := cfg.Pool.AcquireAllIdle(t.Context())
	for len(held) < 4 {
		c, err := cfg.Pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, c)
	}
	made = cfg.Pool.Stat().NewConnsCount()
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Get(short, record("b")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call for which there is no connection returned %v", err)
	}
	for _, c := range held {
		c.Release()
	}
	get(t, s, record("b"))
	if n := cfg.Pool.Stat().NewConnsCount(); n != made {
		t.Errorf("%d connections were made again", n-made)
	}
}

// Each server of a URL is named once, also if its name is the end of another name.
func TestServersOfAURL(t *testing.T) {
	t.Parallel()
	cfg, err := pgx.ParseConfig("postgres://worker:canary@mydb:5432,db:5432,db:5433/orders?sslmode=prefer")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := servers(cfg), "mydb:5432, db:5432, db:5433"; got != want {
		t.Errorf("the servers are %s, want %s", got, want)
	}
}
