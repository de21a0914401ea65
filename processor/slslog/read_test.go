package slslog

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

func TestPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.put(0, 25)
		r := newRig(t, s, Options{Pause: 123 * time.Millisecond}, batch.Start{})
		limit := batch.Limit{Bytes: 1 << 20, Items: 10}
		var got []string
		for i, more := range []bool{true, true, false, false} {
			c := readFrom(t, r.reader, limit)
			got = append(got, contents(c.Items)...)
			pause := 123 * time.Millisecond
			if more {
				pause = 0
			}
			if c.More != more || c.Pause != pause || c.End != 0 || c.Lag != 0 {
				t.Errorf("page %d: more %v, pause %v, end %v, lag %v", i, c.More, c.Pause, c.End, c.Lag)
			}
			if (len(c.Items) > 0) != (c.Release != nil) || (len(c.Items) > 0) != (c.Bytes >= minBuffer) {
				t.Errorf("page %d of %d groups has %d bytes", i, len(c.Items), c.Bytes)
			}
		}
		same(t, "read", got, upTo(25))
		if p := s.pulls[0]; p.Count != 10 || p.Shard != 0 || p.EndCursor != "" || p.Buffer != nil {
			t.Errorf("the first pull is %+v", p)
		}
		if s.pulls[1].Buffer == nil || s.pulls[3].Buffer == nil {
			t.Error("pulls after pages with data have no memory")
		}
		s.pulls = nil
		readFrom(t, r.reader, limit)
		if s.pulls[0].Buffer != nil {
			t.Error("an idle shard borrows memory")
		}
	})
}

// TestCountFollowsTheGroups: a read asks for as many groups as fit the limit, if they
// are like those of the last page.
func TestCountFollowsTheGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		for i := range 400 {
			s.putSized(0, 100*(i/100)*(i/100))
		}
		r := newRig(t, s, Options{}, batch.Start{})
		limit := batch.Limit{Bytes: 64 << 10, Items: 1 << 16}
		for r.read(); len(s.pulls) < 12; {
			c := readFrom(t, r.reader, limit)
			asked := s.pulls[len(s.pulls)-1].Count
			size := 0
			for _, g := range c.Items {
				size += g.Size() + groupBytes
			}
			if asked < len(c.Items) || size > 2*int(limit.Bytes) {
				t.Errorf("asked for %d, got %d groups of %d bytes", asked, len(c.Items), size)
			}
		}
		for _, c := range []struct {
			group int
			l     batch.Limit
			raw   int
			want  int
		}{
			{0, batch.Limit{Bytes: 1, Items: 1}, 1 << 20, 1},
			{1 << 30, batch.Limit{Bytes: 1, Items: 100}, 1 << 20, 1},
			{0, batch.Limit{Bytes: 1 << 20, Items: 10000}, 1 << 30, (1 << 20) / (firstGroupSize + groupBytes)},
			{4, batch.Limit{Bytes: 1 << 20, Items: 7}, 1 << 20, 7},
			{4, batch.Limit{Bytes: 1 << 40, Items: 10000}, 1 << 30, sls.MaxCount},
			{904, batch.Limit{Bytes: 1 << 40, Items: 10000}, 100000, 100},
		} {
			r.reader.groupSize, r.source.o.MaxRaw = c.group, c.raw
			if got := r.reader.count(c.l); got != c.want {
				t.Errorf("%+v: asks for %d", c, got)
			}
		}
	})
}

// TestMoreAndLag is what the headers of a page lead to.
func TestMoreAndLag(t *testing.T) {
	for name, c := range map[string]struct {
		query  string
		damage func(p *sls.Page, now time.Time)
		more   bool
		lag    time.Duration
	}{
		"at the end":            {"", func(p *sls.Page, now time.Time) { p.CursorTime = now }, false, 0},
		"behind":                {"", func(p *sls.Page, now time.Time) { p.CursorTime = now.Add(-4 * time.Second) }, true, 4 * time.Second},
		"a little behind":       {"", func(p *sls.Page, now time.Time) { p.CursorTime = now.Add(-3 * time.Second) }, false, 0},
		"clock ahead":           {"", func(p *sls.Page, now time.Time) { p.CursorTime = now.Add(time.Hour) }, false, 0},
		"without a time":        {"", func(p *sls.Page, _ time.Time) { p.CursorTime = time.Time{} }, false, 0},
		"full without a time":   {"", func(p *sls.Page, _ time.Time) { p.Count, p.CursorTime = 1000, time.Time{} }, true, batch.LagUnknown},
		"full":                  {"", func(p *sls.Page, _ time.Time) { p.Count = 1000 }, true, 0},
		"full, clock ahead":     {"", func(p *sls.Page, now time.Time) { p.Count, p.CursorTime = 1000, now.Add(time.Hour) }, true, 0},
		"large":                 {"", func(p *sls.Page, now time.Time) { p.RawSize, p.CursorTime = fullPage, now.Add(-time.Second) }, true, time.Second},
		"query":                 {"*", func(p *sls.Page, now time.Time) { p.RawDataCount = 1000 }, true, 0},
		"query of large groups": {"*", func(p *sls.Page, now time.Time) { p.RawDataSize = fullPage }, true, 0},
		"query drops all":       {"*", func(p *sls.Page, _ time.Time) { p.Count, p.CursorTime = 0, time.Time{} }, true, batch.LagUnknown},
		"not moved": {"", func(p *sls.Page, now time.Time) {
			p.Next, p.Count, p.CursorTime = formatCursor(1000), 1000, now.Add(-time.Hour)
		}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShelf(1)
				s.put(0, 3)
				r := newRig(t, s, Options{Query: c.query}, batch.Start{})
				s.damage = func(_ sls.PullRequest, p *sls.Page) {
					now := time.Now()
					p.CursorTime = now
					c.damage(p, now)
					n := p.Count
					p.Body = p.Body[:0]
					for range n {
						p.Body = append(p.Body, 0x0a, 0)
					}
					if p.RawSize = max(p.RawSize, len(p.Body)); n == 0 {
						p.RawSize = 0
					}
					for i := len(p.Body); i < p.RawSize; i += 2 { // a field that is to be skipped
						p.Body = append(p.Body, 0x10, 1)
					}
					p.RawSize = len(p.Body)
				}
				got := readFrom(t, r.reader, batch.Limit{Bytes: 1 << 30, Items: 1000})
				if got.More != c.more || got.Lag != c.lag {
					t.Errorf("more %v, lag %v, want %v, %v", got.More, got.Lag, c.more, c.lag)
				}
				if got.More != (got.Pause == 0) {
					t.Errorf("more %v, pause %v", got.More, got.Pause)
				}
			})
		})
	}
}

// TestPositionOfEachGroup: groups have positions only if the service numbers them, and never with a query,
// which drops some.
func TestPositionOfEachGroup(t *testing.T) {
	for name, c := range map[string]struct {
		o    Options
		last int64 // what the header says; zero: nothing
		want bool
	}{
		"numbered":         {Options{}, 1004, true},
		"not numbered":     {Options{}, 0, false},
		"query":            {Options{Query: "*"}, 1004, false},
		"stored processor": {Options{Processor: "p"}, 1004, false},
		"wrong":            {Options{}, 1005, false},
	} {
		p := sls.Page{Next: formatCursor(1005), Count: 5, RawSize: 10, Body: []byte("\n\x00\n\x00\n\x00\n\x00\n\x00"), Compression: sls.None}
		numberPage(t, &p, c.last)
		s := newShelf(1)
		s.damage = func(_ sls.PullRequest, page *sls.Page) { *page = p }
		r := newRig(t, s, c.o, batch.Start{})
		got := r.read()
		if (got.After != nil) != c.want {
			t.Errorf("%s: a position of each group: %v", name, got.After != nil)
			continue
		}
		for i, g := range got.Items {
			n, ok := g.Cursor()
			if ok != c.want || ok && (n != 1000+int64(i) || got.After(i) != processor.Position(formatCursor(n+1))) {
				t.Errorf("%s: group %d has the number %d, %v", name, i, n, ok)
			}
		}
		if c.want && got.After(4) != got.Next {
			t.Errorf("%s: the position after the last group is not the next one", name)
		}
	}
}
