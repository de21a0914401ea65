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

// codeReadOnly is the server's code for a write in a transaction that may only read:
// the server is a standby, or default_transaction_read_only is on.
const codeReadOnly = "25006"

// codeNoRight is the server's code for a right that the role has not.
const codeNoRight = "42501"

// remedies are the errors of the server that only an operator mends, by their codes or
// classes of codes, and what the operator can do. Those of the class 42 say that the schema is
// not what its version says.
var remedies = []struct{ code, remedy string }{
	{"3D000", "name a database that exists in the pool's URL"},
	{"28", "check the user, its password and pg_hba.conf"},
	{"0P000", "check the role in the pool's URL"},
	{codeNoRight, "grant the role what the package comment lists, or have Migrate run by one that has it"},
	{codeNoSchema, "have Migrate make the schema"},
	{codeNoTable, "a table of the schema is missing: restore it from a backup"},
	{"42703", "a column of the schema is missing: restore it from a backup"},
	{"42704", "check the settings in the pool's URL"},
	{"42883", "the server has to be PostgreSQL 14 or newer"},
}

// remedyOf returns what mends an error of the server, and reports whether it is one that
// only an operator mends.
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

// refusedError is an error of the server that only an operator mends. It matches
// heartbeat.ErrUnauthorized.
type refusedError struct {
	error
	passing bool
}

func (e *refusedError) Unwrap() error { return e.error }

func (e *refusedError) Is(target error) bool { return target == heartbeat.ErrUnauthorized }

// Retryable reports whether the same has worked before: then an operator has changed
// something, and may change it back before the lease ends. What never worked ends the
// worker at once.
func (e *refusedError) Retryable() bool { return e.passing }

// The operations of which proven knows, beside those on keys.
const (
	opLook    = "look"
	opPrepare = "prepare"
)

// proven is what has worked once. The zero value knows of nothing.
type proven struct {
	connected atomic.Bool // the server has answered a query
	done      sync.Map    // operation: the rights that one needs say nothing of another
}

type operation struct {
	name string
	kind replicated.Kind
}

// did notes that an operation has worked.
func (p *proven) did(name string, kind replicated.Kind) {
	op := operation{name, kind}
	if _, ok := p.done.Load(op); !ok {
		p.done.Store(op, struct{}{})
	}
}

// explain says of an error that only an operator mends how to mend it. The others are
// returned as they are.
func (p *proven) explain(err error, name string, kind replicated.Kind) error {
	code, remedy, ok := remedyOf(err)
	if !ok {
		if hasCode(err, codeReadOnly) {
			return fmt.Errorf("%w; the pool leads to a server that takes no writes: with several hosts in its URL, "+
				"target_session_attrs=read-write finds the one that does", err)
		}
		return err
	}
	passing := p.connected.Load()
	if code == codeNoRight {
		_, passing = p.done.Load(operation{name, kind})
	}
	return &refusedError{fmt.Errorf("%w; %s", err, remedy), passing}
}
