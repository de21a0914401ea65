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

// steps create and upgrade the schema: step i leads from version i to version i+1. A
// released step never changes.
var steps = []string{
	// Half of each page of records stays free, so that the next version of a row fits into
	// the same page. Then no index changes, and the server removes the old version early.
	// Documents are compact and rewritten as a whole, so they are not compressed.
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

// leastClient is the schema version that a release must know to work with the schema after
// the last step. A step that breaks older releases raises it.
const leastClient = 1

// schema is the schema of the tables, and the steps that this release knows.
type schema struct {
	name   string
	steps  []string
	least  int // leastClient, except in tests
	logger *zap.Logger
}

// Migrate creates the schema of this name, or upgrades it. An empty name means DefaultSchema.
// Without Migrate, the first write of a client does the same. Use Migrate if the role of the
// workers may not create a schema: call it once with a role that may, and grant the workers'
// role the privileges that the package documentation lists. If a newer release has made the
// schema and this one cannot work with it, the error is a *SchemaError.
func Migrate(ctx context.Context, pool *pgxpool.Pool, name string) error {
	cfg := Config{Pool: pool, Group: "none", Schema: name}
	if err := cfg.complete(); err != nil {
		return err
	}
	return schema{name: cfg.Schema, steps: steps, least: leastClient, logger: cfg.Logger}.prepare(ctx, pool)
}

// prepare brings the schema to this release's version, unless it has this version or a
// newer one that this release can work with. That check is one query, and needs no privilege
// to create.
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

// escaped is how the server writes a zero byte if the setting bytea_output is escape and the
// format is text. With hex, or in the binary format of most query exec modes, the byte looks
// different.
const escaped = `\000`

// version returns the version of the schema. Zero: there is none. It also checks that
// values can be read.
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

// upgrade makes the missing steps. Concurrent processes wait for the first one, and then
// find nothing to do.
func (s schema) upgrade(ctx context.Context, tx pgx.Tx) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, lockKey("schema", s.name)); err != nil {
		return err
	}
	if err := s.create(ctx, tx); err != nil {
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
	s.logger.Info("the schema was created or upgraded", zap.String("schema", s.name), zap.Int("from", version), zap.Int("to", len(s.steps)))
	return nil
}

// create creates the schema and the table of its version. CREATE SCHEMA IF NOT EXISTS needs
// the privilege to create a schema even if the schema exists. But an administrator may have
// created the schema for a role without that privilege.
func (s schema) create(ctx context.Context, tx pgx.Tx) error {
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

// fill puts the schema's name into a statement. It quotes the name, which may be a keyword.
func (s schema) fill(sql string) string { return strings.ReplaceAll(sql, "{schema}", quoted(s.name)) }

// quoted quotes a name that has no quotes in it.
func quoted(name string) string { return `"` + name + `"` }
