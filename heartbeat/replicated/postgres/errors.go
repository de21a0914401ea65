package postgres

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNoNotifications says that the connection of a watch gets no notifications, because it
// leads through a pooler that does not keep sessions, or to another server than the pool. To
// mend it, set Config.Listen.
var ErrNoNotifications = errors.New("the listening connection gets no notifications; it must lead to the server itself, see Config.Listen")

// errWentBack ends a watch that has read an older version after a newer one: the server has
// lost writes.
var errWentBack = errors.New("the server has gone back to an older version")

// SchemaError says that a newer release has made the schema, and that this release cannot
// work with it. Nothing was changed.
type SchemaError struct {
	Schema string
	Found  int // the version of the schema
	Least  int // the version that a release must know to work with it
	Known  int // the newest version that this release knows
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("postgres: the schema %q has version %d and needs a release that knows version %d; this release knows version %d: update this program",
		e.Schema, e.Found, e.Least, e.Known)
}

// Retryable returns false: the worker ends.
func (e *SchemaError) Retryable() bool { return false }

// errEscape is the error for a setting with which a session could write values, but not read
// them.
var errEscape error = settingError("the server's setting bytea_output is escape, which pgx cannot read in the query exec mode of the pool; set it to hex")

// settingError names a setting of the server that the client cannot work with. A session
// keeps its settings, so no retry helps.
type settingError string

func (e settingError) Error() string { return string(e) }

// Retryable returns false: the worker ends.
func (e settingError) Retryable() bool { return false }

// The server's codes for a schema, table or sequence that does not exist.
const (
	codeNoSchema = "3F000"
	codeNoTable  = "42P01"
)

// missing reports whether an error says that the schema, or a part of it, does not exist.
func missing(err error) bool { return hasCode(err, codeNoSchema) || hasCode(err, codeNoTable) }

// hasCode reports whether err is an error of the server with this code.
func hasCode(err error, code string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == code
}
