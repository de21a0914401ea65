package postgres

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/shardset"
)

// Many processes that start at the same time create one schema, once.
func TestSchemaIsMadeOnce(t *testing.T) {
	t.Parallel()
	const n = 8
	cfg := groupConfig(t)
	cfg.Schema = ownSchema(t)
	core, logs := observer.New(zap.InfoLevel)
	cfg.Logger = zap.New(core)
	stores := make([]*store, n)
	for i := range stores {
		mine := cfg
		mine.Pool = newPool(t, 1)
		stores[i] = dial(t, mine)
	}
	errs := make([]error, n)
	var all sync.WaitGroup
	for i, s := range stores {
		all.Go(func() { _, errs[i] = s.Swap(t.Context(), document, 0, []byte("x")) })
	}
	all.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, replicated.ErrConflict) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d processes made the document", won, n)
	}
	if made := logs.FilterMessageSnippet("schema").Len(); made != 1 {
		t.Errorf("%d processes say that they made the schema", made)
	}
	if v := version(t, cfg.Schema); v != len(steps) {
		t.Errorf("the schema is at version %d, want %d", v, len(steps))
	}
}

func version(t *testing.T, schema string) (v int) {
	t.Helper()
	if err := shared.QueryRow(t.Context(), `SELECT number FROM `+schema+`.version`).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// A newer schema that this release can work with is not changed.
func TestNewerSchemaThatFits(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	cfg.Schema = ownSchema(t)
	rev := swap(t, dial(t, cfg), record("a"), 0, "kept")
	later := schema{name: cfg.Schema, steps: append(slices.Clone(steps), `ALTER TABLE {schema}.record ADD COLUMN more int`), least: 1, logger: zap.NewNop()}
	if err := later.prepare(t.Context(), shared); err != nil {
		t.Fatal(err)
	}
	s := dial(t, cfg)
	if rev = swap(t, s, record("a"), rev, "next"); get(t, s, record("a")).Revision != rev {
		t.Error("the older release does not read what it wrote")
	}
	w := follow(t, s, replicated.KindRecord)
	w.next(event(record("a"), rev, "next"))
	if err := Migrate(t.Context(), shared, cfg.Schema); err != nil {
		t.Error(err)
	}
	if v := version(t, cfg.Schema); v != len(steps)+1 {
		t.Errorf("the schema is at version %d", v)
	}
	later.steps, later.least = append(later.steps, `ALTER TABLE {schema}.record RENAME COLUMN data TO bytes`), len(steps)+2
	if err := later.prepare(t.Context(), shared); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, cfg).Get(t.Context(), record("a")); !errors.As(err, new(*SchemaError)) {
		t.Errorf("a schema that says that it does not fit: %v", err)
	}
}

// A newer schema that this release cannot work with is refused by every call, and not
// changed.
func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	cfg.Schema = ownSchema(t)
	old := dial(t, cfg)
	swap(t, old, document, 0, "x")
	if _, err := shared.Exec(t.Context(), `UPDATE `+cfg.Schema+`.version SET number = 99, least_client = 98`); err != nil {
		t.Fatal(err)
	}
	s := dial(t, cfg)
	calls := map[string]func() error{
		"Get":  func() error { _, err := s.Get(t.Context(), document); return err },
		"Swap": func() error { _, err := s.Swap(t.Context(), record("a"), 0, nil); return err },
		"SwapQuietly": func() error {
			_, err := s.SwapQuietly(t.Context(), record("a"), 1, nil)
			return err
		},
		"Delete":       func() error { return s.Delete(t.Context(), document, 1) },
		"OlderRecords": func() error { _, _, err := s.OlderRecords(t.Context(), 0); return err },
		"Watch":        func() error { return s.Watch(t.Context(), replicated.KindRecord, func(replicated.Event) {}) },
		// This one had met the schema when it was older.
		"Watch of an old process": func() error {
			return old.Watch(t.Context(), replicated.KindRecord, func(replicated.Event) {})
		},
		"Migrate": func() error { return Migrate(t.Context(), shared, cfg.Schema) },
	}
	for name, call := range calls {
		var refused *SchemaError
		if err := call(); !errors.As(err, &refused) {
			t.Errorf("%s returned %v, want a *SchemaError", name, err)
		} else if heartbeat.Retryable(err) {
			t.Errorf("%s returned %v, which a worker would try for ever", name, err)
		} else if *refused != (SchemaError{Schema: cfg.Schema, Found: 99, Least: 98, Known: len(steps)}) {
			t.Errorf("%s returned %+v", name, *refused)
		}
	}
	if v := version(t, cfg.Schema); v != 99 {
		t.Errorf("the schema is at version %d, want 99 as before", v)
	}
}

// A newer release makes the missing steps, in order. If one fails, none is made.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	cfg.Schema = ownSchema(t)
	s := dial(t, cfg)
	rev := swap(t, s, record("a"), 0, "kept")

	later := s.schema
	later.steps = append(slices.Clone(steps),
		`CREATE TABLE {schema}.more (n int); INSERT INTO {schema}.more VALUES (1);`,
		`UPDATE {schema}.more SET n = n + 1; ALTER TABLE {schema}.more RENAME n TO m;`,
		`nonsense`)
	err := later.prepare(t.Context(), shared)
	if err == nil || !strings.Contains(err.Error(), "step 4") {
		t.Errorf("an upgrade that fails returned %v", err)
	}
	if v := version(t, cfg.Schema); v != len(steps) {
		t.Errorf("after an upgrade that failed the schema is at version %d", v)
	}
	later.steps = later.steps[:len(steps)+2]
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if err := later.prepare(t.Context(), shared); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var m int
	if err := shared.QueryRow(t.Context(), `SELECT m FROM `+cfg.Schema+`.more`).Scan(&m); err != nil || m != 2 {
		t.Errorf("the steps left %d and %v, want 2", m, err)
	}
	if v := version(t, cfg.Schema); v != len(steps)+2 {
		t.Errorf("after the upgrade the schema is at version %d", v)
	}
	if v := get(t, s, record("a")); v.Revision != rev || string(v.Data) != "kept" {
		t.Errorf("the upgrade left %v", v)
	}
}

// If the schema is dropped while it is in use, its contents are lost, and the next calls
// create a new one.
func TestSchemaIsDropped(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	cfg.Schema = ownSchema(t)
	s := dial(t, cfg)
	rev := swap(t, s, document, 0, "x")
	drop(shared, cfg.Schema)
	if _, err := s.Swap(t.Context(), document, rev, nil); err == nil || errors.Is(err, replicated.ErrConflict) {
		t.Errorf("a swap in a schema that is gone returned %v", err)
	}
	if v := get(t, s, document); v.Revision != 0 {
		t.Errorf("a new schema has %v", v)
	}
}

// The schema is checked once, not before each call.
func TestSchemaIsLookedAtOnce(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	var q queries
	cfg.Pool, _ = named(t, 1, func(p *pgxpool.Config) { p.ConnConfig.Tracer = &q })
	s := dial(t, cfg)
	rev := swap(t, s, record("a"), 0, "")
	before := q.n.Load()
	for range 10 {
		rev = swap(t, s, record("a"), rev, "")
	}
	if n := q.n.Load() - before; n != 10 {
		t.Errorf("ten swaps took %d queries", n)
	}
}

// A server with bytea_output escape is refused before anything is written. In the binary
// format the setting does not matter.
func TestEscapedOutput(t *testing.T) {
	t.Parallel()
	for mode, refused := range map[pgx.QueryExecMode]bool{
		pgx.QueryExecModeCacheStatement: false, pgx.QueryExecModeExec: true, pgx.QueryExecModeSimpleProtocol: true,
	} {
		for _, output := range []string{"hex", "escape"} {
			cfg := groupConfig(t)
			cfg.Schema = ownSchema(t)
			cfg.Pool, _ = named(t, 1, func(p *pgxpool.Config) {
				p.ConnConfig.DefaultQueryExecMode = mode
				p.ConnConfig.RuntimeParams["bytea_output"] = output
			})
			s := dial(t, cfg)
			_, err := s.Swap(t.Context(), record("a\x00b"), 0, []byte("ab\xff\x00"))
			if refused && output == "escape" {
				if err == nil || !strings.Contains(err.Error(), "bytea_output") || heartbeat.Retryable(err) {
					t.Errorf("%v with %s: %v", mode, output, err)
				}
				continue
			}
			if err != nil {
				t.Errorf("%v with %s: %v", mode, output, err)
			} else if v := get(t, s, record("a\x00b")); string(v.Data) != "ab\xff\x00" {
				t.Errorf("%v with %s: it read %q", mode, output, v.Data)
			}
		}
	}
}

func TestMigrate(t *testing.T) {
	t.Parallel()
	name := ownSchema(t)
	for range 2 {
		if err := Migrate(t.Context(), shared, name); err != nil {
			t.Fatal(err)
		}
	}
	if v := version(t, name); v != len(steps) {
		t.Errorf("the schema is at version %d", v)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Migrate(ctx, shared, name); !errors.Is(err, context.Canceled) {
		t.Errorf("Migrate returned %v, want the context's error", err)
	}
	if err := Migrate(t.Context(), nil, "No Name"); !errors.As(err, new(*shardset.ConfigError)) {
		t.Errorf("Migrate returned %v, want a *shardset.ConfigError", err)
	}
}
