package slslog

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

func until(at time.Time) batch.Start { return batch.Start{Until: at} }

// TestBoundInTime: exactly the logs received before the bound are read, and then the shard ends. It ends at
// once if the bound is in the past, and otherwise when the cursor of the bound is final.
func TestBoundInTime(t *testing.T) {
	for name, c := range map[string]struct {
		after  time.Duration // from the start to the bound; 10 groups come before, one a second
		ahead  time.Duration // of the service's clock
		later  int           // groups from the twentieth second on, two a second
		want   int
		within [2]time.Duration // when it ends
	}{
		"past":                        {after: -time.Hour, within: [2]time.Duration{0, 0}},
		"now":                         {after: 0, within: [2]time.Duration{0, time.Second}},
		"between groups":              {after: 4500 * time.Millisecond, want: 5, within: [2]time.Duration{4 * time.Second, 6 * time.Second}},
		"at a group":                  {after: 5 * time.Second, want: 5, within: [2]time.Duration{5 * time.Second, 6 * time.Second}},
		"at the end of an idle shard": {after: 15 * time.Second, want: 10, within: [2]time.Duration{20 * time.Second, 21 * time.Second}},
		"with data behind it":         {after: 19 * time.Second, later: 10, want: 10, within: [2]time.Duration{20 * time.Second, 21 * time.Second}},
		"in the middle of a burst":    {after: 22 * time.Second, later: 10, want: 14, within: [2]time.Duration{22 * time.Second, 23 * time.Second}},
		"clock behind":                {after: 22 * time.Second, ahead: -4 * time.Second, later: 14, want: 22, within: [2]time.Duration{26 * time.Second, 27 * time.Second}},
		"clock ahead":                 {after: 22 * time.Second, ahead: 4 * time.Second, later: 14, want: 10, within: [2]time.Duration{20 * time.Second, 21 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShelf(1)
				s.ahead = c.ahead
				began := time.Now()
				go func() {
					time.Sleep(time.Millisecond)
					for range 10 {
						s.put(0, 1)
						time.Sleep(time.Second)
					}
					time.Sleep(time.Until(began.Add(20*time.Second + time.Millisecond)))
					for range c.later {
						s.put(0, 1)
						time.Sleep(500 * time.Millisecond)
					}
				}()
				r := newRig(t, s, Options{}, until(began.Add(c.after)))
				got, end := r.all()
				same(t, "read", got, upTo(c.want))
				if took := time.Since(began); end != batch.EndBound || took < c.within[0] || took > c.within[1] {
					t.Errorf("it ended with %v after %v, want %v", end, took, c.within)
				}
				time.Sleep(time.Minute) // the writer ends
			})
		})
	}
}

// TestBoundIsAskedForOnce: the cursor of a bound in the past is requested once. If the bound is far in the
// future, it is not requested.
func TestBoundIsAskedForOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.put(0, 30)
		bound := time.Now().Add(time.Minute)
		r := newRig(t, s, Options{}, until(bound))
		s.froms = nil
		time.Sleep(50 * time.Second)
		r.read()
		if len(s.froms) != 0 || s.pulls[0].EndCursor != "" {
			t.Errorf("long before the bound it asked for %q and pulled up to %q", s.froms, s.pulls[0].EndCursor)
		}
		s.put(0, 30)
		time.Sleep(time.Hour)
		for range 3 {
			readFrom(t, r.reader, batch.Limit{Bytes: 1 << 20, Items: 7})
		}
		if len(s.froms) != 1 || s.froms[0] != sls.At(bound) {
			t.Errorf("behind the bound it asked for %q", s.froms)
		}
	})
}

// TestBoundRace: logs that arrive between the requests for the two cursors are before the bound, and must
// be read.
func TestBoundRace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.put(0, 1)
		bound := time.Now().Add(10 * time.Second)
		r := newRig(t, s, Options{}, until(bound))
		r.read()
		time.Sleep(9 * time.Second)
		s.ahead = -2 * time.Second // the service's clock is behind: 7 s have passed there
		put := 0
		s.beforeCursor = func(sls.From) {
			if put++; put <= 6 {
				s.put(0, 1)
			}
		}
		got, end := r.all()
		if len(got) != 6 || end != batch.EndBound {
			t.Errorf("of 6 groups it read %d, then %v", len(got), end)
		}
	})
}

// TestBoundRoundsUp: the service counts seconds. Logs from the second of the bound are read rather than
// left out.
func TestBoundRoundsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		second := time.Now().Truncate(time.Second).Add(10 * time.Second)
		r := newRig(t, s, Options{}, until(second.Add(300*time.Millisecond)))
		for _, at := range []time.Duration{100, 200, 900, 1000, 1100} {
			time.Sleep(time.Until(second.Add(at * time.Millisecond)))
			s.put(0, 1)
		}
		got, _ := r.all()
		same(t, "read", got, upTo(3))
	})
	if at := time.Unix(5, 0); !roundUp(at).Equal(at) || !roundUp(at.Add(1)).Equal(at.Add(time.Second)) {
		t.Error("roundUp is wrong")
	}
	if fromTime(time.Time{}) != sls.Begin || fromTime(time.Unix(7, 5)) != "7" {
		t.Error("received is wrong")
	}
}

// TestBoundByPosition, alone and with a time.
func TestBoundByPosition(t *testing.T) {
	at := func(n int64) processor.Position { return processor.Position(formatCursor(1000 + n)) }
	for name, c := range map[string]struct {
		start batch.Start
		want  []string
		end   batch.End
	}{
		"in the middle of a page": {batch.Start{UntilPosition: at(4)}, upTo(4), batch.EndBound},
		"at the start":            {batch.Start{UntilPosition: at(0)}, nil, batch.EndBound},
		"before the start":        {batch.Start{Position: at(3), UntilPosition: at(2)}, nil, batch.EndBound},
		"at the end":              {batch.Start{UntilPosition: at(10)}, upTo(10), batch.EndBound},
		"beyond the end":          {batch.Start{UntilPosition: at(11)}, upTo(10), 0},
		"before a time":           {batch.Start{UntilPosition: at(4), Until: time.Unix(1e10, 0)}, upTo(4), batch.EndBound},
		"behind a time":           {batch.Start{UntilPosition: at(4), Until: time.Unix(1, 0)}, nil, batch.EndBound},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShelf(1)
				s.put(0, 10)
				r := newRig(t, s, Options{}, c.start)
				got, end := r.all()
				same(t, "read", got, c.want)
				if end != c.end {
					t.Errorf("it ended with %v, want %v", end, c.end)
				}
			})
		})
	}
	src, err := New(newShelf(1), Options{})
	must(t, err)
	_, err = src.Open(t.Context(), shardset.ID{Log: testLog}, batch.Start{
		Initial: batch.Earliest(), UntilPosition: "nonsense",
	})
	if !processor.IsHalt(err) {
		t.Errorf("a bound that is not a cursor: %v", err)
	}
}

// oddCursors is a service that returns invalid cursors for a while.
type oddCursors struct {
	*shelf
	odd bool
}

func (o *oddCursors) Cursor(ctx context.Context, shard int, from sls.From) (string, error) {
	if o.odd {
		return "nonsense", nil
	}
	return o.shelf.Cursor(ctx, shard, from)
}

// After an invalid cursor for the bound, the request is repeated.
func TestBoundThatMakesNoSense(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &oddCursors{shelf: newShelf(1)}
		o.put(0, 3)
		time.Sleep(time.Hour)
		src, err := New(o, Options{})
		must(t, err)
		r := open(t, src, 0, batch.Start{Position: processor.Position(formatCursor(1000)), Until: time.Now().Add(-time.Minute)})
		o.odd = true
		for range 10 {
			if _, err := r.Read(t.Context(), anything); err == nil || processor.IsHalt(err) {
				t.Fatalf("it is %v", err)
			}
			time.Sleep(time.Second)
		}
		o.odd = false
		if c := readFrom(t, r, anything); len(c.Items) != 3 || c.End != batch.EndBound {
			t.Errorf("%d groups, and %v", len(c.Items), c.End)
		}
	})
}

// TestBoundsByBoth: with both bounds, the position comes first, whatever the time is.
func TestBoundsByBoth(t *testing.T) {
	for _, ago := range []time.Duration{-time.Hour, -time.Second, 0, time.Second, 7 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf(1)
			s.put(0, 10)
			time.Sleep(10 * time.Second)
			r := newRig(t, s, Options{}, batch.Start{
				UntilPosition: processor.Position(formatCursor(1004)), Until: time.Now().Add(-ago),
			})
			c := readFrom(t, r.reader, batch.Limit{Bytes: 1 << 20, Items: 4}) // a full page
			same(t, ago.String(), contents(c.Items), upTo(4))
			if c.End != batch.EndBound || c.More {
				t.Errorf("%v ago: %v, more %v", ago, c.End, c.More)
			}
			whole := newRig(t, s, Options{}, batch.Start{
				UntilPosition: processor.Position(formatCursor(1004)), Until: time.Now().Add(-ago),
			})
			same(t, ago.String(), contents(whole.read().Items), upTo(4))
			if c = r.read(); c.End != batch.EndBound || c.Lag != batch.LagUnknown || c.Items != nil {
				t.Errorf("%v ago: behind it %v, lag %v", ago, c.End, c.Lag)
			}
		})
	}
}

// TestPutBehindTheBound: logs that arrive between the request for the bound and the pull are not read,
// although the bound is not final yet.
func TestPutBehindTheBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.put(0, 3)
		time.Sleep(5 * time.Second)
		r := newRig(t, s, Options{}, until(time.Now().Add(-time.Second)))
		s.beforePull = func() { s.put(0, 1) }
		got, end := r.all()
		same(t, "read", got, upTo(3))
		if end != batch.EndBound {
			t.Errorf("it ended with %v", end)
		}
	})
}

// TestBoundBehindAQuery: the query drops everything, and the shard still ends.
func TestBoundBehindAQuery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.drop = func(int, *shelfGroup) bool { return true }
		s.put(0, 2500)
		time.Sleep(2 * time.Second)
		r := newRig(t, s, Options{Query: "* | where n = 'x'"}, until(time.Now()))
		s.put(0, 5)
		got, end := r.all()
		if len(got) != 0 || end != batch.EndBound || r.reader.Position() != processor.Position(formatCursor(3500)) {
			t.Errorf("got %q, %v at %q", got, end, r.reader.Position())
		}
	})
}

// TestBoundAndClocksThatAreSet: the request for the bound shows that our clock was set forward, so the
// bound is not final and the reader goes on. Where the clock offset is known well, it ends soon.
func TestBoundAndClocksThatAreSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.least, s.most = -time.Millisecond, time.Millisecond
		s.put(0, 3)
		bound := time.Now().Add(time.Hour)
		r := newRig(t, s, Options{}, until(bound))
		r.read()
		time.Sleep(time.Hour)
		s.ahead = -time.Minute // ours has been set on by a minute
		s.beforeCursor = func(sls.From) { s.least, s.most = -time.Minute-time.Millisecond, -time.Minute+time.Millisecond }
		time.Sleep(time.Second)
		if c := r.read(); c.End != 0 {
			t.Fatalf("it ended with %v, a minute before the bound", c.End)
		}
		s.put(0, 2)
		began := time.Now()
		got, end := r.all()
		same(t, "read", got, []string{"3", "4"})
		if took := time.Since(began); end != batch.EndBound || took < 58*time.Second || took > 60*time.Second {
			t.Errorf("it ended with %v after %v", end, took)
		}
	})
}

// TestLagIsTheServices: the lag is by the service's clock.
func TestLagIsTheServices(t *testing.T) {
	for _, ahead := range []time.Duration{0, 30 * time.Second, -30 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf(1)
			s.ahead, s.least, s.most = ahead, ahead-time.Millisecond, ahead+time.Millisecond
			s.put(0, 3)
			time.Sleep(time.Minute)
			s.put(0, 1)
			r := newRig(t, s, Options{}, batch.Start{})
			c := readFrom(t, r.reader, batch.Limit{Bytes: 1 << 20, Items: 2})
			if c.Lag != time.Minute || !c.More {
				t.Errorf("%v ahead: lag %v, more %v", ahead, c.Lag, c.More)
			}
			readFrom(t, r.reader, anything)
			s.put(0, 1)
			if c := r.read(); c.Lag != 0 || c.More {
				t.Errorf("%v ahead: at the end lag %v, more %v", ahead, c.Lag, c.More)
			}
		})
	}
}
