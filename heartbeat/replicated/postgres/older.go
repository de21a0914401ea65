package postgres

import (
	"context"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// sqlOlder returns three kinds of rows, for an age limit ($2):
//
//   - the records that are older than the limit
//   - the names, without data, of the other records that have reached a quarter of the limit
//   - one row without a name: the server's time, and two ages in seconds: that of the oldest
//     record within the limit, and that of the youngest record of all
//
// It does not use now(), which is the time when the transaction began.
//
// There is no index on the time. With an index, each heartbeat would write two index entries
// instead of none, and the oldest entries would belong to removed row versions. After many
// heartbeats, a read of the oldest record through the index took fifty times as long as a
// read of a thousand records without an index.
const sqlOlder = `
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

// sqlSomeOlder limits sqlOlder to some names.
const sqlSomeOlder = ` AND name = ANY($3::bytea[])`

// sqlRestamp gives records with a time in the future the current time. Their revisions do
// not change.
const sqlRestamp = `UPDATE {schema}.record SET seen = clock_timestamp() WHERE grp = $1 AND seen > clock_timestamp()`

// OlderRecords returns the records that were written longer than age ago, by the server's
// clock.
func (s *store) OlderRecords(ctx context.Context, age time.Duration) ([]replicated.Event, time.Duration, error) {
	if _, there, err := s.forRead(ctx, replicated.KindRecord); err != nil || !there {
		return nil, -1, err
	}
	sent := time.Now()
	var o older
	err := s.ask(ctx, func() (err error) {
		o, err = s.readOlder(ctx, age)
		if err == nil && o.youngest < 0 { // the clock was put back
			s.survey.Store(nil)
			_, err = s.pool.Exec(ctx, s.schema.fill(sqlRestamp), s.group)
		}
		return err
	})
	if err := s.done("list older", replicated.Key{Kind: replicated.KindRecord}, err); err != nil {
		return nil, 0, err
	}
	if hold := s.clock.read(reading{server: o.server, sent: sent, got: time.Now()}, age); hold > 0 {
		s.survey.Store(nil)
		return nil, hold, nil
	}
	return o.records, o.next, nil
}

// older is the result of sqlOlder.
type older struct {
	records    []replicated.Event
	candidates [][]byte      // the names of the records that have at least a quarter of the age
	next       time.Duration // until the next record reaches the age; negative: there is none
	server     time.Time
	youngest   time.Duration // the least age; zero if there is no record
}

// readOlder reads the candidates of the last survey, or all records if the survey is too
// old.
func (s *store) readOlder(ctx context.Context, age time.Duration) (older, error) {
	if last := s.survey.Load(); last != nil && last.age == age {
		o, err := s.queryOlder(ctx, age, last.names)
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
	o, err := s.queryOlder(ctx, age, nil)
	if err == nil {
		s.survey.Store(&survey{age: age, at: o.server, names: append([][]byte{}, o.candidates...)})
	}
	return o, err
}

// queryOlder reads the records of these names, or all records if names is nil.
func (s *store) queryOlder(ctx context.Context, age time.Duration, names [][]byte) (older, error) {
	o := older{next: -1}
	sql, args := strings.ReplaceAll(sqlOlder, "{some}", ""), []any{s.group, (age + time.Microsecond - 1).Microseconds()}
	if names != nil {
		sql, args = strings.ReplaceAll(sqlOlder, "{some}", sqlSomeOlder), append(args, names)
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
			o.candidates = append(o.candidates, name)
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

// survey is the result of a query of all records: the names of those that had reached a
// quarter of the age. Every other record, and every record that is written later, reaches
// the age after three quarters of it at the earliest. Until then, only the named records
// must be read. All times are the server's.
type survey struct {
	age   time.Duration
	at    time.Time
	names [][]byte // not nil
}

// left returns how long the survey stays valid for an age, from the given time of the
// server. Zero or less: it is not valid, for instance because the clock was put back.
func (s survey) left(age time.Duration, server time.Time) time.Duration {
	if s.age != age || server.Before(s.at) {
		return 0
	}
	return s.at.Add(age - age/4).Sub(server)
}
