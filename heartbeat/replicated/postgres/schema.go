package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"
)

// steps make and upgrade the schema: step i leads from version i to version i+1. A step
// that was released is never changed.
var steps = []string{
	// Half of each page of records is left free, so that the next version of a row fits
	// beside it: no index changes then, and the server prunes the old version as it
	// passes. Documents are not worth compressing: they are compact, and rewritten whole.
	`CREATE SEQUENCE {schema}.revision;
	CREATE TABLE {schema}.document (
		grp  text COLLATE "C" NOT NULL,
		name bytea NOT NULL CHECK (name = ''),
		rev  bigint NOT NULL,
		data bytea NOT NULL,
		PRIMARY KEY (grp, name));
	ALTER TABLE {schema}.document ALTER COLUMN data SET STORAGE EXTERNAL;
	CREATE TABLE {schema}.record (
		grp  text COLLATE "C" NOT NULL,
		name bytea NOT NULL,
		rev  bigint NOT NULL,
		seen timestamptz NOT NULL,
		data bytea NOT NULL,
		PRIMARY KEY (grp, name)) WITH (fillfactor = 50);
	CREATE TABLE {schema}.checkpoint (
		grp  text COLLATE "C" NOT NULL,
		name bytea NOT NULL,
		rev  bigint NOT NULL,
		data bytea NOT NULL,
		PRIMARY KEY (grp, name)) WITH (fillfactor = 50);`,
}

// leastClient is the oldest release, by the newest version that it knows, whose statements
// work on the schema after the last of the steps. A step that breaks them raises it.
const leastClient = 1

// schema is the tables' home, and what this release knows of it.
type schema struct {
	name   string
	steps  []string
	least  int // leastClient, but for tests
	logger *zap.Logger
}

// Migrate makes the schema of this name, or upgrades it, as the first write of a Client
// does. It is for those whose workers must not: a role with the right to create runs it
// once, and grants the workers' role what it needs. Empty means DefaultSchema. The error
// is a *SchemaError if the schema is of a newer release that this one cannot work with.
func Migrate(ctx context.Context, pool *pgxpool.Pool, name string) error {
	cfg := Config{Pool: pool, Group: "none", Schema: name}
	if err := cfg.complete(); err != nil {
		return err
	}
	return schema{name: cfg.Schema, steps: steps, least: leastClient, logger: cfg.Logger}.prepare(ctx, pool)
}

// prepare sees to it that the schema is at this release's version, or at a newer one that
// says that this release may work with it. If it is, that is one query, which needs no right
// to create anything.
func (s schema) prepare(ctx context.Context, pool *pgxpool.Pool) error {
	version, err := s.version(ctx, pool)
	if err == nil && version < len(s.steps) {
		err = pgx.BeginTxFunc(ctx, pool, pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadWrite}, func(tx pgx.Tx) error {
			return s.upgrade(ctx, tx)
		})
	}
	return s.fail(err)
}

func (s schema) fail(err error) error {
	if err != nil && !errors.As(err, new(*SchemaError)) {
		return fmt.Errorf("postgres: prepare the schema %q: %w", s.name, err)
	}
	return err
}

// querier is a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// escaped is how a byte of zero comes as text if the setting bytea_output is escape. As
// hex, or in the binary form of most query exec modes, it comes otherwise.
const escaped = `\000`

// version returns the version of the schema: zero if there is none. It also finds out
// whether what will be read can be understood.
func (s schema) version(ctx context.Context, q querier) (int, error) {
	var version, least int
	var raw pgtype.UndecodedBytes
	err := q.QueryRow(ctx, s.fill(`SELECT number, least_client, decode('00', 'hex') FROM {schema}.version`)).Scan(&version, &least, &raw)
	switch {
	case missing(err):
		return 0, nil
	case err != nil:
		return 0, err
	case string(raw) == escaped:
		return 0, errEscape
	case version > len(s.steps) && least > len(s.steps):
		return 0, &SchemaError{Schema: s.name, Found: version, Least: least, Known: len(s.steps)}
	}
	return version, nil
}

// upgrade makes the missing steps. All processes that come at once wait for the first,
// and find nothing to do.
func (s schema) upgrade(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockKey("schema", s.name)); err != nil {
		return err
	}
	if err := s.found(ctx, tx); err != nil {
		return err
	}
	version, err := s.version(ctx, tx)
	if err != nil {
		return err
	}
	for i := version; i < len(s.steps); i++ {
		if _, err := tx.Exec(ctx, s.fill(s.steps[i])); err != nil {
			return fmt.Errorf("step %d: %w", i+1, err)
		}
	}
	if version >= len(s.steps) {
		return nil
	}
	if _, err := tx.Exec(ctx, s.fill(`UPDATE {schema}.version SET number = $1, least_client = $2`), len(s.steps), s.least); err != nil {
		return err
	}
	s.logger.Info("the schema is made or upgraded", zap.String("schema", s.name), zap.Int("from", version), zap.Int("to", len(s.steps)))
	return nil
}

// found makes the schema and the table of its version. CREATE SCHEMA IF NOT EXISTS asks
// for the right to create one even if it exists, which an administrator may have made
// for a role without it.
func (s schema) found(ctx context.Context, tx pgx.Tx) error {
	var exists bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, s.name).Scan(&exists)
	if err != nil {
		return err
	}
	sql := `CREATE TABLE IF NOT EXISTS {schema}.version (
			single boolean PRIMARY KEY DEFAULT true CHECK (single),
			number integer NOT NULL,
			least_client integer NOT NULL);
		INSERT INTO {schema}.version (number, least_client) VALUES (0, 0) ON CONFLICT DO NOTHING;`
	if !exists {
		sql = `CREATE SCHEMA {schema};` + sql
	}
	_, err = tx.Exec(ctx, s.fill(sql))
	return err
}

// fill puts the schema into a statement. Quoted, because it may be a word of the
// language.
func (s schema) fill(sql string) string { return strings.ReplaceAll(sql, "{schema}", quoted(s.name)) }

// quoted returns a plain name in quotes.
func quoted(name string) string { return `"` + name + `"` }
