package postgres

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrNoNotifications is matched by the error of a watch whose connection gets no notifications:
// between it and the server is a pooler that does not keep sessions, or it leads to
// another server than the pool. Config.Listen is the remedy.
var ErrNoNotifications = errors.New("no notification comes through the listening connection: it has to lead to the server itself, see Config.Listen")

// errWentBack is the error of a watch that has read an older version after a newer one:
// the server has lost writes.
var errWentBack = errors.New("the server has gone back to an older version")

// SchemaError says that the schema is of a newer release, which says that this one cannot
// work with it. Nothing was changed.
type SchemaError struct {
	Schema string
	Found  int // the version of the schema
	Least  int // which version a release has to know to work with it
	Known  int // the newest version that this release knows
}

func (e *SchemaError) Error() string {
	return fmt.Sprintf("postgres: the schema %q is at version %d, for releases that know version %d, and this release knows none above %d: update this program",
		e.Schema, e.Found, e.Least, e.Known)
}

// Retryable returns false: it ends the worker.
func (e *SchemaError) Retryable() bool { return false }

// errEscape says that what is written over these sessions could not be read over them.
var errEscape error = settingError("the server's setting bytea_output is escape, which pgx cannot read in the query exec mode of the pool; it has to be hex")

// settingError says that a setting of the server is in the way. Sessions keep theirs, so
// no repetition mends it.
type settingError string

func (e settingError) Error() string { return string(e) }

// Retryable returns false: it ends the worker.
func (e settingError) Retryable() bool { return false }

// The server's codes for a schema, table or sequence that is not there.
const (
	codeNoSchema = "3F000"
	codeNoTable  = "42P01"
)

// missing reports whether an error says that the schema or a part of it is not there.
func missing(err error) bool { return hasCode(err, codeNoSchema) || hasCode(err, codeNoTable) }

// hasCode reports whether an error is the server's, with this code.
func hasCode(err error, code string) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == code
}
