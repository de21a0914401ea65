package postgres

import (
	"strings"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// statements are the statements for the keys of one kind. $1 is the group, and $2 the name
// or names.
type statements struct {
	get, swap, swapQuietly, insert, remove, present, some, names string
}

// next draws a new revision. The revision is above all that were drawn before, whatever the
// order in which their transactions commit. 47 bits are a counter, and 16 bits are random.
// If the server goes back to an earlier state, it counts some numbers again. Without the
// random bits, a process that knows a lost write could overwrite a later write of the same
// number.
const next = `(nextval('{schema}.revision') << 16 | floor(random() * 65536)::bigint)`

// The new revision of a row is drawn before the row is locked. For an update that does not
// matter: if it succeeds, the old revision was committed before. An insert that waits for a
// deletion could get a revision below the deleted one. With the lock ($4), an insert draws
// its revision only when no deletion and no other insert of the key is under way.
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

	// The same transaction writes and notifies. The condition only calls pg_notify; it is
	// always true.
	sqlRevision = ` SELECT rev FROM written`
	sqlNotify   = ` SELECT rev FROM written WHERE pg_notify($5, $6) IS NOT NULL`
)

// notified reports whether changes of a kind are notified.
func notified(k replicated.Kind) bool {
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
	end, swap := sqlRevision, sqlUpdate
	if notified(kind) {
		end, swap = sqlNotify, `WITH written AS (`+sqlUpdate+`)`+sqlNotify
	}
	return statements{
		get: fill(sqlGet), swap: fill(swap), swapQuietly: fill(sqlUpdate),
		insert: fill(sqlInsert + end), remove: fill(sqlDelete + end),
		present: fill(sqlPresent), some: fill(sqlSome), names: fill(sqlNames),
	}
}
