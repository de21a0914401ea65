package postgres

import (
	"strings"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// statements are those for the keys of one kind. $1 is always the group and $2 the name,
// or names.
type statements struct {
	get, swap, swapQuietly, insert, remove, present, some, names string
}

// next is a new revision: above all that were drawn before it, in whatever order their
// transactions commit. The 16 random bits tell it from the revision that a lost write
// had, if the server falls back to a state before it: with the number alone, whoever
// knows of the lost write would overwrite what came in its place. 47 bits are left to
// count with.
const next = `(nextval('{schema}.revision') << 16 | floor(random() * 65536)::bigint)`

// A row's new revision is drawn before the row is locked. For an update that is no
// matter: if it succeeds, it has seen the old revision committed. An insert that waits for
// a deletion has not, and could come up with a revision below the deleted one; the lock
// ($4) lets it draw only when no deletion, and no other insert, is under way.
const (
	sqlGet = `SELECT rev, data FROM {table} WHERE grp = $1 AND name = $2`

	sqlUpdate = `UPDATE {table} SET rev = ` + next + `, data = $4{seen=}
		WHERE grp = $1 AND name = $2 AND rev = $3 RETURNING rev`

	sqlInsert = `WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock($4)), written AS (
		INSERT INTO {table} (grp, name, rev, data{seen})
		SELECT $1::text, $2::bytea, ` + next + `, $3::bytea{now} FROM held
		ON CONFLICT DO NOTHING RETURNING rev)`

	sqlDelete = `WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock($4)), written AS (
		DELETE FROM {table} USING held WHERE grp = $1 AND name = $2 AND rev = $3 RETURNING rev)`

	sqlPresent = `SELECT name, rev, data FROM {table} WHERE grp = $1`

	sqlNames = `SELECT name FROM {table} WHERE grp = $1`

	sqlSome = sqlPresent + ` AND name = ANY($2::bytea[])`

	// What was written is notified by the same transaction; the condition always holds.
	sqlQuiet = ` SELECT rev FROM written`
	sqlLoud  = ` SELECT rev FROM written WHERE pg_notify($5, $6) IS NOT NULL`
)

// loud reports whether changes of a kind are notified.
func loud(k replicated.Kind) bool {
	return k == replicated.KindDocument || k == replicated.KindRecord
}

func newStatements(schema string, kind replicated.Kind) statements {
	schema = quoted(schema)
	pairs := []string{"{schema}", schema, "{table}", schema + "." + kind.String()}
	if kind == replicated.KindRecord {
		pairs = append(pairs, "{seen=}", ", seen = clock_timestamp()", "{seen}", ", seen", "{now}", ", clock_timestamp()")
	} else {
		pairs = append(pairs, "{seen=}", "", "{seen}", "", "{now}", "")
	}
	fill := strings.NewReplacer(pairs...).Replace
	end, swap := sqlQuiet, sqlUpdate
	if loud(kind) {
		end, swap = sqlLoud, `WITH written AS (`+sqlUpdate+`)`+sqlLoud
	}
	return statements{
		get: fill(sqlGet), swap: fill(swap), swapQuietly: fill(sqlUpdate),
		insert: fill(sqlInsert + end), remove: fill(sqlDelete + end),
		present: fill(sqlPresent), some: fill(sqlSome), names: fill(sqlNames),
	}
}
