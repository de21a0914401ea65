package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// An insert that waits for a deletion, while other keys are written, must not come up
// with a revision that it drew before.
func TestInsertDrawsItsRevisionLast(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	s := dial(t, cfg)
	old := swap(t, s, record("a"), 0, "first")

	tx, err := shared.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), s.sql[replicated.KindRecord].remove, s.args(record("a"), int64(old), s.lock(record("a")))...); err != nil {
		t.Fatal(err)
	}
	pool, name := named(t, 1, nil)
	cfg.Pool = pool
	other := dial(t, cfg)
	inserted := make(chan uint64, 1)
	go func() {
		rev, err := other.Swap(t.Context(), record("a"), 0, []byte("second"))
		if err != nil {
			t.Error(err)
		}
		inserted <- rev
	}()
	blocked(t, name)
	between := swap(t, s, record("b"), 0, "")
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rev := <-inserted; rev < between {
		t.Errorf("the key came back with revision %d, drawn before %d, when it was not deleted yet", rev, between)
	}
}

// What the server refuses when the transaction commits, after it has returned the row,
// was not written.
func TestErrorAtCommit(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	cfg.Schema = ownSchema(t)
	s := dial(t, cfg)
	rev := swap(t, s, record("a"), 0, "good")
	sql := s.schema.fill(`
		CREATE FUNCTION {schema}.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
			BEGIN IF NEW.data = 'bad' THEN RAISE EXCEPTION 'refused'; END IF; RETURN NULL; END $$;
		CREATE CONSTRAINT TRIGGER refuse AFTER UPDATE ON {schema}.record
			DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {schema}.refuse();`)
	if _, err := shared.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(context.Context, replicated.Key, uint64, []byte) (uint64, error){
		"Swap": s.Swap, "SwapQuietly": s.SwapQuietly,
	} {
		_, err := write(t.Context(), record("a"), rev, []byte("bad"))
		if err == nil || errors.Is(err, replicated.ErrConflict) || !strings.Contains(err.Error(), "refused") {
			t.Errorf("%s returned %v, want the server's error", name, err)
		}
	}
	if v := get(t, s, record("a")); v.Revision != rev {
		t.Errorf("the record is at %d, want %d", v.Revision, rev)
	}
}

// If the context ends while the server works, the outcome is unknown, and no conflict.
func TestContextEndsWithinAWrite(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	s := dial(t, cfg)
	rev := swap(t, s, document, 0, "first")
	tx, err := shared.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), s.schema.fill(`SELECT rev FROM {schema}.document WHERE grp = $1 FOR UPDATE`), s.group); err != nil {
		t.Fatal(err)
	}
	pool, name := named(t, 2, nil)
	cfg.Pool = pool
	other := dial(t, cfg)
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		ctx, cancel := context.WithCancel(t.Context())
		if cause == context.DeadlineExceeded {
			ctx, cancel = context.WithTimeout(t.Context(), 300*time.Millisecond)
		}
		done := make(chan error, 1)
		go func() {
			_, err := other.Swap(ctx, document, rev, []byte("second"))
			done <- err
		}()
		if cause == context.Canceled {
			blocked(t, name)
			cancel()
		}
		if err := <-done; !errors.Is(err, cause) || errors.Is(err, replicated.ErrConflict) {
			t.Errorf("a swap whose context ended returned %v, want %v", err, cause)
		}
		cancel()
		if _, err := other.Swap(ctx, document, rev, nil); !errors.Is(err, cause) {
			t.Errorf("a swap whose context has ended returned %v, want %v", err, cause)
		}
	}
}

// A pool may use any query exec mode of pgx: poolers need some of them.
func TestModes(t *testing.T) {
	t.Parallel()
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec,
		pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			cfg := groupConfig(t)
			cfg.Pool, _ = named(t, 2, func(p *pgxpool.Config) { p.ConnConfig.DefaultQueryExecMode = mode })
			s := dial(t, cfg)
			w := follow(t, s, replicated.KindRecord)
			w.next(replicated.Event{})
			odd := record("odd \x00\xff'\\")
			data := "data \x00\xff'\\"
			rev := swap(t, s, odd, 0, data)
			w.next(event(odd, rev, data))
			rev = swap(t, s, odd, rev, "")
			w.next(event(odd, rev, ""))
			if v := get(t, s, odd); v.Revision != rev || v.Data == nil || len(v.Data) != 0 {
				t.Errorf("Get returned %v, want no bytes at %d", v, rev)
			}
			if _, err := s.SwapQuietly(t.Context(), odd, rev-1, nil); !errors.Is(err, replicated.ErrConflict) {
				t.Errorf("a swap over an old revision returned %v", err)
			}
			if events, _, err := s.OlderRecords(t.Context(), 0); err != nil || len(events) != 1 || events[0].Key != odd {
				t.Errorf("OlderRecords returned %v and %v, want the record", events, err)
			}
			if err := s.Delete(t.Context(), odd, rev); err != nil {
				t.Error(err)
			}
			w.next(replicated.Event{Key: odd})
		})
	}
}

// With a stricter isolation level than the default, writes that meet fail. None of them
// is lost, and none is said to be a conflict that was made.
func TestStrictIsolation(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	cfg.Pool, _ = named(t, 8, func(p *pgxpool.Config) {
		p.ConnConfig.RuntimeParams["default_transaction_isolation"] = "serializable"
	})
	s := dial(t, cfg)
	swap(t, s, document, 0, "0")
	if n := count(t, s, 8, 10); n != 80 {
		t.Errorf("80 increments made %d", n)
	}
}

// count has some writers increment the document, each some times, and returns what it
// then holds.
func count(t *testing.T, s replicated.Store, writers, times int) int {
	t.Helper()
	done := make(chan error, writers)
	for range writers {
		go func() {
			for made := 0; made < times; {
				v, err := s.Get(t.Context(), document)
				if err == nil {
					_, err = s.Swap(t.Context(), document, v.Revision, fmt.Append(nil, at(v)+1))
				}
				var refused interface{ SQLState() string }
				switch {
				case err == nil:
					made++
				case errors.Is(err, replicated.ErrConflict):
				case errors.As(err, &refused) && refused.SQLState() == "40001": // nothing was written
				default:
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range writers {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	return at(get(t, s, document))
}

func at(v replicated.Value) (n int) {
	_, _ = fmt.Sscan(string(v.Data), &n)
	return n
}

// A server that fell back to an earlier state counts revisions a second time. They must
// not be those of the writes that it has forgotten.
func TestRevisionsAfterLoss(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	cfg.Schema = ownSchema(t)
	s := dial(t, cfg)
	first := swap(t, s, checkpoint("orders/1"), 0, "")
	var before, after []uint64
	for _, revs := range []*[]uint64{&before, &after} {
		sql := s.schema.fill(`SELECT setval('{schema}.revision', 100);`)
		if _, err := shared.Exec(t.Context(), sql+s.schema.fill(`UPDATE {schema}.checkpoint SET rev = 1`)); err != nil {
			t.Fatal(err)
		}
		for rev := uint64(1); len(*revs) < 20; *revs = append(*revs, rev) {
			rev = swap(t, s, checkpoint("orders/1"), rev, "")
		}
	}
	if !slices.IsSorted(before) || before[0] <= first>>16 {
		t.Errorf("revisions do not rise: %v", before)
	}
	same := 0
	for i := range before {
		if before[i] == after[i] {
			same++
		}
	}
	if same > 2 { // by chance: 1 in 65,536
		t.Errorf("%d of 20 revisions came a second time", same)
	}
}

func TestDocumentHasNoName(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	if _, err := s.Swap(t.Context(), replicated.Key{Kind: replicated.KindDocument, Name: "x"}, 0, nil); err == nil {
		t.Error("a second document was written")
	}
	if _, err := s.Get(t.Context(), replicated.Key{Kind: 9}); err == nil {
		t.Error("a key of an unknown kind was read")
	}
}
