package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// sqlOverdue returns the records that are overdue, and a row without a name that has the
// server's time and the ages of the oldest of the others and of the youngest of all, in
// seconds. now() would be the time at which the transaction began.
const sqlOverdue = `
	WITH clock AS MATERIALIZED (SELECT clock_timestamp() AS t),
	aged AS MATERIALIZED (SELECT name, rev, data, t, t - seen AS age FROM {schema}.record, clock WHERE grp = $1),
	late AS MATERIALIZED (SELECT $2::bigint * interval '1 microsecond' AS age)
	SELECT aged.name, aged.rev, aged.data, NULL::timestamptz, NULL::float8, NULL::float8
		FROM aged, late WHERE aged.age > late.age
	UNION ALL
	SELECT NULL, NULL, NULL, t,
		(SELECT extract(epoch FROM max(aged.age))::float8 FROM aged, late WHERE aged.age <= late.age),
		(SELECT extract(epoch FROM min(age))::float8 FROM aged)
		FROM clock`

// sqlRestamp has records that were written in the future count from now. Their versions
// are the same after it.
const sqlRestamp = `UPDATE {schema}.record SET seen = clock_timestamp() WHERE grp = $1 AND seen > clock_timestamp()`

// Overdue returns the records that were written longer than age ago, by the server's
// clock alone.
func (s *store) Overdue(ctx context.Context, age time.Duration) ([]replicated.Event, time.Duration, error) {
	if _, there, err := s.look(ctx, replicated.KindRecord); err != nil || !there {
		return nil, -1, err
	}
	sent := time.Now()
	var o overdue
	err := s.ask(ctx, func() (err error) {
		o, err = s.overdue(ctx, age)
		if err == nil && o.youngest < 0 { // the clock was put back
			_, err = s.pool.Exec(ctx, s.schema.fill(sqlRestamp), s.group)
		}
		return err
	})
	if err != nil {
		return nil, 0, s.fail("overdue", replicated.Key{Kind: replicated.KindRecord}, err)
	}
	if hold := s.clock.read(reading{server: o.server, sent: sent, got: time.Now()}, age); hold > 0 {
		return nil, hold, nil
	}
	return o.records, o.next, nil
}

// overdue is what sqlOverdue says.
type overdue struct {
	records  []replicated.Event
	next     time.Duration // until the next one; negative: there is none
	server   time.Time
	youngest time.Duration // the least age; zero if there is no record
}

func (s *store) overdue(ctx context.Context, age time.Duration) (overdue, error) {
	o := overdue{next: -1}
	var name, data []byte
	var rev *int64
	var server *time.Time
	var oldest, youngest *float64
	rows, err := s.pool.Query(ctx, s.schema.fill(sqlOverdue), s.group, (age + time.Microsecond - 1).Microseconds())
	if err != nil {
		return o, err
	}
	_, err = pgx.ForEachRow(rows, []any{&name, &rev, &data, &server, &oldest, &youngest}, func() error {
		if rev != nil {
			o.records = append(o.records, replicated.Event{
				Key:   replicated.Key{Kind: replicated.KindRecord, Name: string(name)},
				Value: replicated.Value{Data: data, Revision: uint64(*rev)},
			})
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
