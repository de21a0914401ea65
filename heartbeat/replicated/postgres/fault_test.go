//go:build linux

package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/replicatedtest"
	"github.com/rollcall-go/rollcall/shardset"
)

// over is the duration of a fault that ends by itself.
const over = 10 * time.Millisecond

// harm returns faults of the server.
func (s *server) harm(freeze time.Duration) []replicatedtest.Fault {
	type crowd = *replicatedtest.Crowd
	do := func(f func()) func(crowd) error { return func(crowd) error { f(); return nil } }
	return []replicatedtest.Fault{
		{Name: "a SIGKILL of the server, and a restart", For: over, Do: do(func() { s.kill(); s.start() })},
		{Name: "a SIGSTOP of the server, and a SIGCONT", For: freeze, Do: do(s.freeze), Undo: do(s.thaw)},
		{Name: "an immediate shutdown, and a restart", For: over, Do: do(func() { s.abort(); s.start() })},
	}
}

// After every fault, an acknowledged write exists, a refused one does not, and one that
// ended with another error may. The clients recover by themselves.
func TestNoAcknowledgedSwapIsLost(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	cfg := Config{Pool: srv.pool("rollcall", 8), Group: "orders"}
	s := dial(t, cfg)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	writers := make([]*writer, 8)
	for i := range writers {
		w := &writer{T: t, store: s, key: record(fmt.Sprint("writer-", i))}
		writers[i] = w
		all.Go(func() { w.write(ctx) })
	}
	progress(t, writers)
	for _, f := range srv.harm(2 * time.Second) {
		if err := f.Do(nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(f.For)
		if f.Undo != nil {
			_ = f.Undo(nil)
		}
		progress(t, writers) // the clients come back by themselves
	}
	cancel()
	all.Wait()
	open := int64(0)
	for _, w := range writers {
		acknowledged, n := w.acknowledged.Load(), at(get(t, s, w.key))
		if n < int(acknowledged) || n > int(acknowledged)+1 {
			t.Errorf("%v: %d was acknowledged, %d found", w.key, acknowledged, n)
		}
		open += w.open.Load()
	}
	if open == 0 {
		t.Error("no fault has met a write")
	}
}

// progress waits until each writer has made ten more writes.
func progress(t *testing.T, writers []*writer) {
	t.Helper()
	end := time.Now().Add(patience)
	for _, w := range writers {
		for start := w.made.Load(); w.made.Load() < start+10; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%v is not written any more", w.key)
			}
		}
	}
}

// writer counts up in its own key. After an error with an unknown outcome, it reads the
// key.
type writer struct {
	*testing.T
	store *store
	key   replicated.Key

	acknowledged atomic.Int64 // the highest number that is known to be written
	made, open   atomic.Int64 // how many writes were acknowledged, and left open
}

func (w *writer) write(ctx context.Context) {
	var rev uint64
	for ctx.Err() == nil {
		last := w.acknowledged.Load()
		call, cancel := context.WithTimeout(ctx, time.Second)
		got, err := w.store.Swap(call, w.key, rev, fmt.Append(nil, last+1))
		cancel()
		if errors.Is(err, replicated.ErrConflict) {
			w.Errorf("nobody else writes %v: %v", w.key, err)
			return
		}
		if err == nil {
			if got <= rev {
				w.Errorf("%v went from revision %d to %d", w.key, rev, got)
			}
			rev = got
			w.acknowledged.Add(1)
			w.made.Add(1)
			continue
		}
		w.open.Add(1)
		v, ok := settle(ctx, w.store, w.key)
		if !ok {
			return
		}
		if n := int64(at(v)); n != last && n != last+1 {
			w.Errorf("%v: %d was acknowledged, %d found", w.key, last, n)
		}
		rev = v.Revision
		w.acknowledged.Store(int64(at(v)))
	}
}

// settle reads a key when no earlier write can be made any more. Such a write would hold a
// lock on the row. It returns false when ctx has ended.
func settle(ctx context.Context, s *store, k replicated.Key) (replicated.Value, bool) {
	for ctx.Err() == nil {
		time.Sleep(20 * time.Millisecond)
		call, cancel := context.WithTimeout(ctx, time.Second)
		var busy int
		err := s.pool.QueryRow(call, `SELECT count(*) FROM pg_stat_activity
			WHERE backend_type = 'client backend' AND state <> 'idle' AND pid <> pg_backend_pid()
			AND query_start < clock_timestamp() - interval '500 ms'`).Scan(&busy)
		var v replicated.Value
		if err == nil && busy == 0 {
			v, err = s.Get(call, k)
		}
		cancel()
		if err == nil && busy == 0 {
			return v, true
		}
	}
	return replicated.Value{}, false
}

// A group survives faults of the server and its members: no shard has two owners, no
// checkpoint goes back, and all shards are processed again in time.
func TestGroupLivesThroughFaults(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	const ttl = 2 * time.Second
	cfg := Config{Group: "orders", TTL: ttl, Shards: shardset.Range("orders", 8)}
	administer := func(do func(admin *replicated.Client) error) error {
		cfg := cfg
		cfg.Pool = srv.pool("rollcall", 2)
		admin, err := New(cfg)
		if err != nil {
			return err
		}
		defer admin.Close()
		return do(admin)
	}
	set := func(ttl time.Duration) error {
		return administer(func(admin *replicated.Client) error { return admin.SetTTL(t.Context(), ttl) })
	}
	faults := []replicatedtest.Fault{
		srv.harm(0)[0],
		{
			Name: "a SIGSTOP of the server for longer than a lease", For: 3 * ttl / 2,
			Do:   func(*replicatedtest.Crowd) error { srv.freeze(); return nil },
			Undo: func(*replicatedtest.Crowd) error { srv.thaw(); return nil },
		},
		{
			Name: "a partition of two members", For: 3 * ttl / 2,
			Do:   func(c *replicatedtest.Crowd) error { c.Cut("a"); c.Cut("c"); return nil },
			Undo: func(c *replicatedtest.Crowd) error { c.Heal("a"); c.Heal("c"); return nil },
		},
		{
			Name: "the group is deleted and made anew, and one does not hear of it", For: 3 * ttl / 2, Deletes: true,
			Do: func(c *replicatedtest.Crowd) error {
				c.Cut("a")
				return administer(func(admin *replicated.Client) error {
					return errors.Join(admin.Delete(t.Context()), admin.Create(t.Context()))
				})
			},
			Undo: func(c *replicatedtest.Crowd) error { c.Heal("a"); return nil },
		},
		{
			Name: "the TTL becomes longer, and one does not hear of it", For: 3 * ttl / 2,
			Do:   func(c *replicatedtest.Crowd) error { c.Cut("a"); return set(2 * ttl) },
			Undo: func(c *replicatedtest.Crowd) error { c.Heal("a"); return set(ttl) },
		},
		{
			Name: "an immediate shutdown, a backup and a restart", For: over,
			Do: func(*replicatedtest.Crowd) error { srv.backUp(); return nil },
		},
		{
			Name: "a failover that loses writes", For: over, LosesWrites: true,
			Do: func(*replicatedtest.Crowd) error { srv.fallBack(); return nil },
		},
	}
	replicatedtest.RunCrowd(t, replicatedtest.CrowdConfig{
		Shards: shardset.Range("orders", 8), TTL: ttl,
		Recovery: 10 * time.Second, // the machine may be busy
		Dial:     func(string) (replicatedtest.Connection, error) { return srv.connect(cfg) },
	}, func(crowd *replicatedtest.Crowd) {
		crowd.Join("a", "b", "c", "d")
		crowd.Play(faults...)
	})
}

// connect connects a process to the server, with a proxy that can cut it off.
func (s *server) connect(cfg Config) (replicatedtest.Connection, error) {
	proxy, err := replicatedtest.NewProxy(s.addr())
	if err != nil {
		return replicatedtest.Connection{}, err
	}
	pool, err := open(fmt.Sprintf("postgres://rollcall@%s/rollcall?sslmode=disable", proxy.Addr()), 4)
	if err != nil {
		return replicatedtest.Connection{}, err
	}
	cfg.Pool = pool
	c, err := New(cfg)
	if err != nil {
		return replicatedtest.Connection{}, err
	}
	return replicatedtest.Connection{
		Group: c,
		Cut: func(cut bool) {
			if cut {
				proxy.Set(replicatedtest.Network{ToServer: replicatedtest.FlowHold, ToClient: replicatedtest.FlowHold})
				return
			}
			proxy.Set(replicatedtest.Network{})
		},
		Close: func() {
			c.Close()
			pool.Close()
			proxy.Close()
		},
	}, nil
}

// The role of the workers needs no privilege to create if another role has created the schema.
func TestRights(t *testing.T) {
	t.Parallel()
	srv := newServer(t)
	srv.admin(`CREATE ROLE worker LOGIN NOSUPERUSER`)
	srv.admin(`CREATE SCHEMA given; GRANT USAGE, CREATE ON SCHEMA given TO worker`)
	swap(t, dial(t, Config{Pool: srv.pool("worker", 1), Group: "orders", Schema: "given"}), document, 0, "x")

	// A word of the language is as good a name as any.
	s := dial(t, Config{Pool: srv.pool("worker", 2), Group: "orders", Schema: "user"})
	if _, err := s.Swap(t.Context(), document, 0, []byte("x")); err == nil {
		t.Fatal("a role without the privilege to create a schema has made one")
	}
	if err := Migrate(t.Context(), srv.pool("rollcall", 1), "user"); err != nil {
		t.Fatal(err)
	}
	srv.admin(`GRANT USAGE ON SCHEMA "user" TO worker;
		GRANT SELECT, INSERT, UPDATE, DELETE ON "user".document, "user".record, "user".checkpoint TO worker;
		GRANT SELECT ON "user".version TO worker;
		GRANT USAGE ON SEQUENCE "user".revision TO worker`)
	w := follow(t, s, replicated.KindRecord)
	w.next(replicated.Event{})
	rev := swap(t, s, record("a"), 0, "x")
	w.next(event(record("a"), rev, "x"))
	rev = swap(t, s, record("a"), rev, "y")
	w.next(event(record("a"), rev, "y"))
	s.olderAre(t, 0, "a")
	if err := s.Delete(t.Context(), record("a"), rev); err != nil {
		t.Error(err)
	}
}
