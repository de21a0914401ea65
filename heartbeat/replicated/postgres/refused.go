package postgres

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// codeReadOnly is the server's code for a write in a read-only transaction: the server is a
// standby, or default_transaction_read_only is on.
const codeReadOnly = "25006"

// codeNoPrivilege is the server's code for a privilege that the role does not have.
const codeNoPrivilege = "42501"

// remedies lists the server's errors that only an operator can solve, by code or class of
// codes, and says what to do. 42P01 and 42703 mean that the schema lacks a table or column
// that its version should have.
var remedies = []struct{ code, remedy string }{
	{"3D000", "set an existing database in the pool's URL"},
	{"28", "check the user, its password and pg_hba.conf"},
	{"0P000", "check the role in the pool's URL"},
	{codeNoPrivilege, "grant the role the privileges that the package documentation lists, or run Migrate with a role that has them"},
	{codeNoSchema, "run Migrate to create the schema"},
	{codeNoTable, "a table of the schema is missing: restore it from a backup"},
	{"42703", "a column of the schema is missing: restore it from a backup"},
	{"42704", "check the settings in the pool's URL"},
	{"42883", "PostgreSQL 14 or later is required"},
}

// remedyOf returns the remedy for an error of the server, and whether there is one.
func remedyOf(err error) (code, remedy string, ok bool) {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return "", "", false
	}
	for _, r := range remedies {
		if strings.HasPrefix(e.Code, r.code) {
			return e.Code, r.remedy, true
		}
	}
	return "", "", false
}

// refusedError is an error of the server that only an operator can solve. It matches
// heartbeat.ErrUnauthorized.
type refusedError struct {
	error
	retryable bool
}

func (e *refusedError) Unwrap() error { return e.error }

func (e *refusedError) Is(target error) bool { return target == heartbeat.ErrUnauthorized }

// Retryable reports whether this has worked before: the same operation if a privilege is
// missing, and any query for other errors. If so, an operator has changed something, and may
// change it back before the lease ends. If not, the worker ends at once.
func (e *refusedError) Retryable() bool { return e.retryable }

// The operations besides those on keys.
const (
	opLook    = "look"
	opPrepare = "prepare"
)

// successes notes which operations have succeeded. The zero value is ready to use.
type successes struct {
	connected  atomic.Bool // the server has answered a query
	operations sync.Map    // by operation, because each needs other privileges
}

type operation struct {
	name string
	kind replicated.Kind
}

// note notes that an operation has succeeded.
func (s *successes) note(name string, kind replicated.Kind) {
	op := operation{name, kind}
	if _, ok := s.operations.Load(op); !ok {
		s.operations.Store(op, struct{}{})
	}
}

// explain adds a remedy to an error that only an operator can solve, and returns other
// errors unchanged.
func (s *successes) explain(err error, name string, kind replicated.Kind) error {
	code, remedy, ok := remedyOf(err)
	if !ok {
		if hasCode(err, codeReadOnly) {
			return fmt.Errorf("%w; the pool leads to a read-only server: if its URL has several hosts, "+
				"set target_session_attrs=read-write", err)
		}
		return err
	}
	retryable := s.connected.Load()
	if code == codeNoPrivilege {
		_, retryable = s.operations.Load(operation{name, kind})
	}
	return &refusedError{fmt.Errorf("%w; %s", err, remedy), retryable}
}
