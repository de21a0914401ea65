package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// sqlOverdue returns the records that are overdue; the names alone of those that have a
// quarter of the age; and a row without a name that has the server's time and the
// ages of the oldest of those that are not overdue and of the youngest of all, in seconds. now()
// would be the time at which the transaction began.
//
// There is no index on the time: with one, each heartbeat would be written to two indexes
// instead of none, and the oldest entries are those of versions that are gone. A read of
// the oldest one took fifty times as long as one of a thousand records, once they had beaten
// for a while.
const sqlOverdue = `
	WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS t),
	aged AS MATERIALIZED (SELECT name, rev, data, t - seen AS age FROM {schema}.record, clock WHERE grp = $1{some}),
	late AS MATERIALIZED (SELECT $2::bigint * interval '1 microsecond' AS age)
	SELECT aged.name, CASE WHEN aged.age > late.age THEN aged.rev END, CASE WHEN aged.age > late.age THEN aged.data END,
		NULL::timestamptz, NULL::float8, NULL::float8
		FROM aged, late WHERE aged.age >= late.age / 4
	UNION ALL
	SELECT NULL, NULL, NULL, t,
		(SELECT extract(epoch FROM max(aged.age))::float8 FROM aged, late WHERE aged.age <= late.age),
		(SELECT extract(epoch FROM min(age))::float8 FROM aged)
		FROM clock`

// sqlSomeOverdue has only the records of some names be looked at.
const sqlSomeOverdue = ` AND name = ANY($3::bytea[])`

// sqlRestamp has records that were written in the future count from now. Their versions
// are the same after it.
const sqlRestamp = `UPDATE {schema}.record SET seen = clock_timestamp() WHERE grp = $1 AND seen > clock_timestamp()`

// OlderRecords returns the records that were written longer than age ago, by the server's
// clock alone.
func (s *store) OlderRecords(ctx context.Context, age time.Duration) ([]replicated.Event, time.Duration, error) {
	if _, there, err := s.look(ctx, replicated.KindRecord); err != nil || !there {
		return nil, -1, err
	}
	sent := time.Now()
	var o overdue
	err := s.ask(ctx, func() (err error) {
		o, err = s.overdue(ctx, age)
		if err == nil && o.youngest < 0 { // the clock was put back
			s.survey.Store(nil)
			_, err = s.pool.Exec(ctx, s.schema.fill(sqlRestamp), s.group)
		}
		return err
	})
	if err := s.done("overdue", replicated.Key{Kind: replicated.KindRecord}, err); err != nil {
		return nil, 0, err
	}
	if hold := s.clock.read(reading{server: o.server, sent: sent, got: time.Now()}, age); hold > 0 {
		s.survey.Store(nil)
		return nil, hold, nil
	}
	return o.records, o.next, nil
}

// overdue is what sqlOverdue says.
type overdue struct {
	records  []replicated.Event
	suspects [][]byte      // the names of those that have a quarter of the age, and of the records
	next     time.Duration // until the next one; negative: there is none
	server   time.Time
	youngest time.Duration // the least age; zero if there is no record
}

// overdue looks at the suspects of the last survey, or at all records if that is too old.
func (s *store) overdue(ctx context.Context, age time.Duration) (overdue, error) {
	if last := s.survey.Load(); last != nil && last.age == age {
		o, err := s.examine(ctx, age, last.olds)
		if err != nil {
			return o, err
		}
		if left := last.left(age, o.server); left > 0 {
			if o.next < 0 || left < o.next {
				o.next = left
			}
			return o, nil
		}
	}
	o, err := s.examine(ctx, age, nil)
	if err == nil {
		s.survey.Store(&survey{age: age, at: o.server, olds: append([][]byte{}, o.suspects...)})
	}
	return o, err
}

// examine looks at the records of these names, or at all if they are nil.
func (s *store) examine(ctx context.Context, age time.Duration, names [][]byte) (overdue, error) {
	o := overdue{next: -1}
	sql, args := strings.ReplaceAll(sqlOverdue, "{some}", ""), []any{s.group, (age + time.Microsecond - 1).Microseconds()}
	if names != nil {
		sql, args = strings.ReplaceAll(sqlOverdue, "{some}", sqlSomeOverdue), append(args, names)
	}
	var name, data []byte
	var rev *int64
	var server *time.Time
	var oldest, youngest *float64
	rows, err := s.pool.Query(ctx, s.schema.fill(sql), args...)
	if err != nil {
		return o, err
	}
	_, err = pgx.ForEachRow(rows, []any{&name, &rev, &data, &server, &oldest, &youngest}, func() error {
		if name != nil {
			o.suspects = append(o.suspects, name)
		}
		if rev != nil {
			o.records = append(o.records, replicated.Event{
				Key:   replicated.Key{Kind: replicated.KindRecord, Name: string(name)},
				Value: replicated.Value{Data: data, Revision: uint64(*rev)},
			})
		}
		if name != nil {
			return nil
		}
		o.server = *server
		if oldest != nil {
			o.next = max(age-seconds(*oldest), time.Microsecond)
		}
		if youngest != nil {
			o.youngest = seconds(*youngest)
		}
		return nil
	})
	return o, err
}

func seconds(f float64) time.Duration { return time.Duration(f * float64(time.Second)) }

// survey is what a look at all records has found: which ones were old. A record that was
// younger than a quarter of the age then, or was written since, is not overdue before three
// quarters have passed: until then only the others need to be looked at. The times are the
// server's alone. The zero value is none.
type survey struct {
	age  time.Duration
	at   time.Time
	olds [][]byte // not nil
}

// left returns for how long the survey is good for an age at a time of the server; zero or
// less: it is not, or the clock was put back.
func (s survey) left(age time.Duration, server time.Time) time.Duration {
	if s.age != age || server.Before(s.at) {
		return 0
	}
	return s.at.Add(age - age/4).Sub(server)
}
