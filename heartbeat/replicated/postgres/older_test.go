package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// age makes a record older.
func (s *store) age(t *testing.T, name string, by time.Duration) {
	t.Helper()
	sql := s.schema.fill(`UPDATE {schema}.record SET seen = clock_timestamp() - $3::bigint * interval '1 microsecond'
		WHERE grp = $1 AND name = $2`)
	tag, err := shared.Exec(t.Context(), sql, s.group, []byte(name), by.Microseconds())
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatal(tag, err)
	}
}

// olderAre fails the test unless exactly these records are older than the age.
func (s *store) olderAre(t *testing.T, age time.Duration, want ...string) (next time.Duration) {
	t.Helper()
	events, next, err := s.OlderRecords(t.Context(), age)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for _, e := range events {
		got[e.Key.Name] = true
		if v := get(t, s, e.Key); v.Revision != e.Value.Revision || string(v.Data) != string(e.Value.Data) {
			t.Errorf("%v is %v, and was said to be %v", e.Key, v, e.Value)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%v are overdue, want %v", got, want)
	}
	for _, name := range want {
		if !got[name] {
			t.Errorf("%q is not overdue; %v are", name, got)
		}
	}
	return next
}

// around fails the test unless a time is at most a few seconds below want.
func around(t *testing.T, got, want time.Duration) {
	t.Helper()
	if got > want || got < want-10*time.Second {
		t.Errorf("the next one is due in %v, want %v or a little less", got, want)
	}
}

func TestOlderByTheServersClock(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	if next := s.olderAre(t, time.Hour); next >= 0 {
		t.Errorf("in an empty group one will be overdue in %v", next)
	}
	rev := swap(t, s, record("old"), 0, "1")
	swap(t, s, record("middle"), 0, "2")
	swap(t, s, record("new"), 0, "3")
	swap(t, newTestStore(t), record("other group"), 0, "4")
	s.age(t, "old", 3*time.Hour)
	s.age(t, "middle", 2*time.Hour)
	around(t, s.olderAre(t, 150*time.Minute, "old"), 30*time.Minute)
	around(t, s.olderAre(t, time.Hour, "old", "middle"), time.Hour)
	s.olderAre(t, 0, "old", "middle", "new")

	rev, err := s.SwapQuietly(t.Context(), record("old"), rev, []byte("5"))
	if err != nil {
		t.Fatal(err)
	}
	around(t, s.olderAre(t, time.Hour, "middle"), time.Hour)
	if err := s.Delete(t.Context(), record("old"), rev); err != nil {
		t.Fatal(err)
	}
	s.olderAre(t, 0, "middle", "new")
}

// A record has the time of its write, not that of the start of its transaction.
func TestRecordsAreStampedWhenWritten(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	rev := swap(t, s, record("a"), 0, "")
	tx, err := shared.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.Background()) }()
	if _, err := tx.Exec(t.Context(), `SELECT pg_sleep(0.2)`); err != nil {
		t.Fatal(err)
	}
	quietly := s.sql[replicated.KindRecord].swapQuietly
	if _, err := tx.Exec(t.Context(), quietly, s.group, []byte("a"), int64(rev), []byte{}); err != nil {
		t.Fatal(err)
	}
	var late bool
	sql := s.schema.fill(`SELECT seen - now() >= '0.2 s' FROM {schema}.record WHERE grp = $1`)
	if err := tx.QueryRow(t.Context(), sql, s.group).Scan(&late); err != nil || !late {
		t.Errorf("a record bears the time at which its transaction began: %v", err)
	}
}

// After the clock was put back, a record from the future gets the current time, and keeps
// its revision.
func TestOlderAfterTheClockWasPutBack(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	rev := swap(t, s, record("dead"), 0, "x")
	s.age(t, "dead", -24*time.Hour)
	s.olderAre(t, time.Hour)
	around(t, s.olderAre(t, time.Hour), time.Hour)
	if v := get(t, s, record("dead")); v.Revision != rev {
		t.Errorf("the record is at %d, want %d", v.Revision, rev)
	}
}

// After the clock was put forward, no record counts as old until the members could write
// again.
func TestOlderAfterTheClockWasPutForward(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	swap(t, s, record("a"), 0, "x")
	s.olderAre(t, time.Hour)
	s.clock.last.server = s.clock.last.server.Add(-2 * time.Hour) // and so the server's time jumps
	s.age(t, "a", 2*time.Hour)
	around(t, s.olderAre(t, time.Hour), time.Hour)
	s.clock.hold = time.Now()
	s.olderAre(t, time.Hour, "a")
}

// If the members send heartbeats, most records are read rarely: a young record cannot
// become old soon.
func TestOlderReadsFewRecords(t *testing.T) {
	t.Parallel()
	s := newTestStore(t)
	const members = 500
	for i := range members {
		swap(t, s, record(fmt.Sprint("m", i)), 0, "x")
	}
	s.age(t, "m7", 40*time.Minute)
	s.age(t, "m8", 50*time.Minute)
	around(t, s.olderAre(t, time.Hour), 10*time.Minute)
	// What nobody would do, to see that they are not read.
	if _, err := shared.Exec(t.Context(), s.schema.fill(`UPDATE {schema}.record SET seen = seen - interval '2 h' WHERE grp = $1`), s.group); err != nil {
		t.Fatal(err)
	}
	s.olderAre(t, time.Hour, "m7", "m8")
	s.survey.Load().at = s.survey.Load().at.Add(-46 * time.Minute) // three quarters of the age pass
	if events, _, err := s.OlderRecords(t.Context(), time.Hour); err != nil || len(events) != members {
		t.Errorf("%d records are overdue, want all: %v", len(events), err)
	}
	if events, _, err := s.OlderRecords(t.Context(), time.Minute); err != nil || len(events) != members {
		t.Errorf("of another age, %d records are overdue, want all: %v", len(events), err)
	}
}

func TestSurvey(t *testing.T) {
	t.Parallel()
	at := time.Now()
	s := survey{age: 20 * time.Second, at: at}
	for _, c := range []struct {
		age   time.Duration
		after time.Duration
		left  time.Duration
	}{
		{20 * time.Second, 0, 15 * time.Second},
		{20 * time.Second, 14 * time.Second, time.Second},
		{20 * time.Second, 15 * time.Second, 0},
		{20 * time.Second, time.Hour, -time.Hour + 15*time.Second},
		{20 * time.Second, -time.Second, 0}, // the clock was put back
		{10 * time.Second, time.Second, 0},
	} {
		if left := s.left(c.age, at.Add(c.after)); left != c.left {
			t.Errorf("for %v, %v later, it is good for %v, want %v", c.age, c.after, left, c.left)
		}
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	const age = 20 * time.Second
	start := time.Now()
	server := start.Add(-37 * time.Hour) // another clock
	at := func(server time.Time, sent, took time.Duration) reading {
		return reading{server: server, sent: start.Add(sent), got: start.Add(sent + took)}
	}
	for _, c := range []struct {
		name   string
		second reading
		hold   bool
	}{
		{"the clocks agree", at(server.Add(10*time.Second), 10*time.Second, 0), false},
		{"read late within a slow call", at(server.Add(15*time.Second), 10*time.Second, 5*time.Second), false},
		{"read early within a slow call", at(server.Add(10*time.Second), 10*time.Second, 5*time.Second), false},
		{"the first call was slow", at(server.Add(11*time.Second), 10*time.Second, 0), false},
		{"a little fast", at(server.Add(10*time.Second+5*time.Millisecond), 10*time.Second, 0), false},
		{"put back", at(server.Add(-time.Hour), 10*time.Second, 0), false},
		{"put forward", at(server.Add(15*time.Second), 10*time.Second, 0), true},
		{"put forward by half a second", at(server.Add(11500*time.Millisecond), 10*time.Second, 0), true},
	} {
		var clock clock
		if hold := clock.read(at(server, -time.Second, time.Second), age); hold > 0 {
			t.Errorf("%s: the first reading holds for %v", c.name, hold)
		}
		if hold := clock.read(c.second, age); hold > 0 != c.hold {
			t.Errorf("%s: holds for %v", c.name, hold)
		} else if c.hold && hold != age {
			t.Errorf("%s: holds for %v, want %v", c.name, hold, age)
		}
		after := c.second
		after.server, after.sent, after.got = after.server.Add(age), after.sent.Add(age), after.got.Add(age)
		if hold := clock.read(after, age); hold > 0 {
			t.Errorf("%s: holds for %v after %v", c.name, hold, age)
		}
	}
}
