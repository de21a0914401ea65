package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// store is one group in the tables of a schema. Safe for concurrent use.
type store struct {
	pool         *pgxpool.Pool
	group        string
	schema       schema
	sql          map[replicated.Kind]statements
	listenConfig *pgx.ConnConfig // for the listener; nil: the configuration of the pool
	checkEvery   time.Duration   // how long a listener gets nothing before it checks the server
	usable       atomic.Bool     // the schema had this release's version when it was last checked
	exists       atomic.Bool     // the schema existed then
	clock        clock
	detector     outageDetector
	survey       atomic.Pointer[survey] // the last one; nil: the next must read all records
	successes    successes
	log          *zap.Logger

	mu       sync.Mutex // guards listener and its users
	listener *listener  // of the watches; nil while there is none
}

var (
	_ replicated.Store       = (*store)(nil)
	_ replicated.RecordClock = (*store)(nil)
	_ replicated.Lister      = (*store)(nil)
)

// openStore returns the store of a Config that is complete.
func openStore(cfg Config) *store {
	s := &store{
		pool: cfg.Pool, group: cfg.Group, listenConfig: cfg.Listen, checkEvery: defaultCheckEvery, log: cfg.Logger,
		schema: schema{name: cfg.Schema, steps: steps, least: leastClient, logger: cfg.Logger},
		sql:    map[replicated.Kind]statements{},
	}
	for _, k := range []replicated.Kind{replicated.KindDocument, replicated.KindRecord, replicated.KindCheckpoint} {
		s.sql[k] = newStatements(cfg.Schema, k)
	}
	return s
}

// Get returns the newest version of a key.
func (s *store) Get(ctx context.Context, k replicated.Key) (replicated.Value, error) {
	sql, there, err := s.forRead(ctx, k.Kind)
	if err != nil || !there {
		return replicated.Value{}, err
	}
	var rev int64
	var data []byte
	err = s.ask(ctx, func() error {
		return s.pool.QueryRow(ctx, sql.get, s.group, []byte(k.Name)).Scan(&rev, &data)
	})
	err = s.done("get", k, err)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return replicated.Value{}, nil
	case err != nil:
		return replicated.Value{}, err
	}
	return replicated.Value{Data: data, Revision: uint64(rev)}, nil
}

// Swap writes data over the version old and notifies the watches.
func (s *store) Swap(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
	sql, err := s.forWrite(ctx, k.Kind)
	if err != nil {
		return 0, err
	}
	if old == 0 {
		return s.write(ctx, "insert", k, old, sql.insert, s.args(k, bytes(data), s.lock(k))...)
	}
	return s.write(ctx, "swap", k, old, sql.swap, s.args(k, int64(old), bytes(data))...)
}

// SwapQuietly is Swap without a notification.
func (s *store) SwapQuietly(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
	if old == 0 {
		return s.Swap(ctx, k, old, data)
	}
	sql, err := s.forWrite(ctx, k.Kind)
	if err != nil {
		return 0, err
	}
	return s.write(ctx, "swap", k, old, sql.swapQuietly, s.group, []byte(k.Name), int64(old), bytes(data))
}

// Delete deletes the version old of a key and notifies the watches.
func (s *store) Delete(ctx context.Context, k replicated.Key, old uint64) error {
	if old == 0 {
		v, err := s.Get(ctx, k)
		if err == nil && v.Revision != 0 {
			err = conflict("delete", k, old)
		}
		return err
	}
	sql, err := s.forWrite(ctx, k.Kind)
	if err != nil {
		return err
	}
	_, err = s.write(ctx, "delete", k, old, sql.remove, s.args(k, int64(old), s.lock(k))...)
	return err
}

// Keys returns the existing keys of a kind.
func (s *store) Keys(ctx context.Context, kind replicated.Kind) (keys []replicated.Key, err error) {
	sql, there, err := s.forRead(ctx, kind)
	if err != nil || !there {
		return nil, err
	}
	err = s.ask(ctx, func() error {
		rows, err := s.pool.Query(ctx, sql.names, s.group)
		if err != nil {
			return err
		}
		keys, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (replicated.Key, error) {
			var name []byte
			err := r.Scan(&name)
			return replicated.Key{Kind: kind, Name: string(name)}, err
		})
		return err
	})
	return keys, s.done("list", replicated.Key{Kind: kind}, err)
}

// args returns the arguments of a statement that may notify the watches.
func (s *store) args(k replicated.Key, third, fourth any) []any {
	args := []any{s.group, []byte(k.Name), third, fourth}
	if notified(k.Kind) {
		args = append(args, channel(s.schema.name, s.group, k.Kind), payload(k.Name))
	}
	return args
}

// lock returns the advisory lock for the creation and deletion of a key.
func (s *store) lock(k replicated.Key) int64 {
	return lockKey("key", s.schema.name, s.group, k.Kind.String(), k.Name)
}

// bytes returns data, or an empty slice for nil, which would be NULL.
func bytes(data []byte) []byte {
	if data == nil {
		return []byte{}
	}
	return data
}

// write executes a statement that returns the revision of the row that it has written. It
// reports a conflict only if the statement and its transaction succeeded without writing a
// row. After any other error, the end of a context included, the outcome is unknown.
func (s *store) write(ctx context.Context, op string, k replicated.Key, old uint64, sql string, args ...any) (uint64, error) {
	var rev int64
	err := s.ask(ctx, func() error { return s.pool.QueryRow(ctx, sql, args...).Scan(&rev) })
	err = s.done(op, k, err)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return 0, conflict(op, k, old)
	case err != nil:
		return 0, err
	}
	return uint64(rev), nil
}

func conflict(op string, k replicated.Key, old uint64) error {
	return fmt.Errorf("postgres: %s %v at revision %d: %w", op, k, old, replicated.ErrConflict)
}

// done notes that an operation has succeeded if the server has executed it, with or without a
// row. It returns other errors as fail does.
func (s *store) done(op string, k replicated.Key, err error) error {
	if err == nil || errors.Is(err, pgx.ErrNoRows) {
		s.successes.note(op, k.Kind)
		return err
	}
	return s.fail(op, k, err)
}

// fail wraps an error. If the schema is gone, the next call looks for it again.
func (s *store) fail(op string, k replicated.Key, err error) error {
	if missing(err) {
		s.usable.Store(false)
		s.exists.Store(false)
	}
	return fmt.Errorf("postgres: %s %v: %w", op, k, s.successes.explain(err, op, k.Kind))
}

// forWrite returns the statements for the keys of a kind, after it has prepared the schema.
func (s *store) forWrite(ctx context.Context, kind replicated.Kind) (statements, error) {
	sql, ok := s.sql[kind]
	if !ok {
		return statements{}, fmt.Errorf("postgres: no table for %v", kind)
	}
	return sql, s.prepare(ctx)
}

// forRead returns the statements for the keys of a kind, and whether the schema exists. It
// does not create the schema.
func (s *store) forRead(ctx context.Context, kind replicated.Kind) (sql statements, there bool, err error) {
	sql, ok := s.sql[kind]
	switch {
	case !ok:
		return sql, false, fmt.Errorf("postgres: no table for %v", kind)
	case s.usable.Load() || s.exists.Load():
		return sql, true, nil
	}
	there, err = s.findSchema(ctx)
	return sql, there, err
}

// findSchema asks the server whether the schema exists.
func (s *store) findSchema(ctx context.Context) (there bool, err error) {
	var version int
	err = s.ask(ctx, func() (err error) {
		version, err = s.schema.version(ctx, s.pool)
		return err
	})
	s.exists.Store(err == nil && version > 0)
	if err == nil {
		s.successes.note(opLook, 0)
	}
	return s.exists.Load(), s.successes.explain(s.schema.fail(err), opLook, 0)
}

// prepare prepares the schema, unless that has succeeded before. Concurrent callers may all
// do it; an advisory lock lets one at a time upgrade the schema.
func (s *store) prepare(ctx context.Context) error {
	if s.usable.Load() {
		return nil
	}
	if err := s.ask(ctx, func() error { return s.schema.prepare(ctx, s.pool) }); err != nil {
		return s.successes.explain(err, opPrepare, 0)
	}
	s.successes.note(opPrepare, 0)
	s.usable.Store(true)
	return nil
}
