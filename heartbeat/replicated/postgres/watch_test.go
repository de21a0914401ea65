package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// A thousand changes at once are read together, and none is missed.
func TestWatchBurst(t *testing.T) {
	t.Parallel()
	const n = 1000
	cfg := groupConfig(t)
	var q queries
	watching := cfg
	watching.Pool, _ = named(t, 2, func(p *pgxpool.Config) { p.ConnConfig.Tracer = &q })
	s := dial(t, cfg)
	w := follow(t, dial(t, watching), replicated.KindRecord)
	w.next(replicated.Event{})
	before := q.n.Load()
	sql := s.schema.fill(`WITH w AS (
		INSERT INTO {schema}.record (grp, name, rev, seen, data)
		SELECT $1::text, convert_to('m' || i, 'UTF8'), nextval('{schema}.revision') << 16, clock_timestamp(), ''
		FROM generate_series(1, $2::int) AS i RETURNING name)
		SELECT count(pg_notify($3, translate(encode(name, 'base64'), '+/=', '-_'))) FROM w`)
	if _, err := shared.Exec(t.Context(), sql, s.group, n, channel(s.schema.name, s.group, replicated.KindRecord)); err != nil {
		t.Fatal(err)
	}
	told := map[string]bool{}
	for len(told) < n {
		told[w.get().Key.Name] = true
	}
	for i := range n {
		if !told["m"+strconv.Itoa(i+1)] {
			t.Fatalf("m%d was not told", i+1)
		}
	}
	if made := q.n.Load() - before; made > 100 {
		t.Errorf("%d changes that came at once took %d queries", n, made)
	}
}

// Conflicts, quiet swaps and checkpoints are not notified, and each kind has a channel
// of its own.
func TestNotifications(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	swap(t, s, document, 0, "") // makes the schema
	listen := func(kind replicated.Kind) *pgx.Conn {
		conn, err := pgx.ConnectConfig(t.Context(), shared.Config().ConnConfig)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close(context.Background()) })
		if _, err := conn.Exec(t.Context(), `LISTEN "`+channel(s.schema.name, s.group, kind)+`"`); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	conns := map[string]*pgx.Conn{}
	for _, kind := range []replicated.Kind{replicated.KindDocument, replicated.KindRecord, replicated.KindCheckpoint} {
		conns[kind.String()] = listen(kind)
	}
	drain := func() (all []string) {
		for name, conn := range conns {
			if _, err := conn.Exec(t.Context(), `SELECT 1`); err != nil { // what was notified before comes first
				t.Fatal(err)
			}
			for {
				ctx, cancel := context.WithCancel(t.Context())
				cancel()
				n, err := conn.WaitForNotification(ctx)
				if err != nil {
					break
				}
				key, _ := parsePayload(n.Payload)
				all = append(all, name+" "+key)
			}
		}
		return all
	}
	expect := func(what string, want ...string) {
		t.Helper()
		if got := drain(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s notified %q, want %q", what, got, want)
		}
	}
	rev := swap(t, s, record("a"), 0, "")
	expect("an insert", "record a")
	old := rev
	rev = swap(t, s, record("a"), rev, "")
	expect("a swap", "record a")
	if _, err := s.Swap(t.Context(), record("a"), old, nil); !errors.Is(err, replicated.ErrConflict) {
		t.Fatal(err)
	}
	if _, err := s.Swap(t.Context(), record("a"), 0, nil); !errors.Is(err, replicated.ErrConflict) {
		t.Fatal(err)
	}
	if err := s.Delete(t.Context(), record("a"), old); !errors.Is(err, replicated.ErrConflict) {
		t.Fatal(err)
	}
	expect("conflicts")
	rev, err := s.SwapQuietly(t.Context(), record("a"), rev, nil)
	if err != nil {
		t.Fatal(err)
	}
	expect("a quiet swap")
	if err := s.Delete(t.Context(), record("a"), rev); err != nil {
		t.Fatal(err)
	}
	expect("a deletion", "record a")
	rev = swap(t, s, checkpoint("orders/1"), 0, "")
	rev = swap(t, s, checkpoint("orders/1"), rev, "")
	if err := s.Delete(t.Context(), checkpoint("orders/1"), rev); err != nil {
		t.Fatal(err)
	}
	expect("checkpoints")
	swap(t, s, document, get(t, s, document).Revision, "")
	expect("the document", "document ")
}

// A watch forgets deleted keys: new names may come for years.
func TestWatchForgets(t *testing.T) {
	t.Parallel()
	var told []replicated.Event
	w := &watch{kind: replicated.KindRecord, reported: map[string]int64{}, sink: func(e replicated.Event) { told = append(told, e) }}
	a, b := row{name: []byte("a"), rev: 5, data: []byte{}}, row{name: []byte("b"), rev: 6, data: []byte{}}
	for _, rows := range [][]row{{a, b}, {b}, {}} {
		if err := w.report(rows, [][]byte{a.name, b.name}); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.reported) != 0 {
		t.Errorf("the watch remembers %v", w.reported)
	}
	if last := told[len(told)-1]; last.Key != record("b") || last.Value.Data != nil {
		t.Errorf("the last event is %v, want that b is gone", last)
	}
}

// A watch ends if the server goes back to an earlier state.
func TestWatchOfAServerThatGoesBack(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	rev := swap(t, s, document, 0, "x")
	rev = swap(t, s, document, rev, "y")
	w := follow(t, s, replicated.KindDocument)
	w.next(event(document, rev, "y"))
	w.next(replicated.Event{})
	sql := s.schema.fill(`WITH w AS (UPDATE {schema}.document SET rev = rev - 1 WHERE grp = $1 RETURNING rev)
		SELECT rev FROM w WHERE pg_notify($2, '') IS NOT NULL`)
	if _, err := shared.Exec(t.Context(), sql, s.group, channel(s.schema.name, s.group, replicated.KindDocument)); err != nil {
		t.Fatal(err)
	}
	if err := w.ends(); !errors.Is(err, errWentBack) {
		t.Errorf("the watch returned %v, want %v", err, errWentBack)
	}
}
