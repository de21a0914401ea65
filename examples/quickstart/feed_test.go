package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// generous is a limit that no test reaches.
var generous = batch.Limit{Bytes: 1 << 30, Items: 1 << 20}

// newFeed returns a feed of one span with the content. Its lines are due one minute
// apart, from begin on.
func newFeed(content string, begin time.Time) (*feed, shardset.ID) {
	src := text(content)
	s := &span{id: shardset.ID{Log: src.log}, src: src, end: src.size}
	due := func(_ *span, at place) time.Time { return begin.Add(time.Duration(at.line) * time.Minute) }
	return &feed{spans: map[shardset.ID]*span{s.id: s}, due: due, alive: &sync.RWMutex{}}, s.id
}

func open(t *testing.T, f *feed, id shardset.ID, at processor.Position) batch.Reader[line] {
	t.Helper()
	r, err := f.Open(t.Context(), id, batch.Start{Position: at, Initial: batch.Earliest()})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func read(t *testing.T, r batch.Reader[line], l batch.Limit) batch.Chunk[line] {
	t.Helper()
	c, err := r.Read(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	if c.Next != r.Position() || len(c.Items) > 0 && c.After(len(c.Items)-1) != c.Next {
		t.Errorf("a chunk ends at %q, and the reader is at %q", c.Next, r.Position())
	}
	return c
}

func TestFeedGivesTheLinesThatAreDue(t *testing.T) {
	const half = 30 * time.Second
	for _, tt := range []struct {
		passed time.Duration // since the first line was due
		limit  int
		lines  int
		end    batch.End
		more   bool
		pause  time.Duration // about
		lag    time.Duration // about
	}{
		{passed: -half, lines: 0, pause: half},
		{passed: half, lines: 1, pause: half},
		{passed: time.Minute + half, lines: 2, pause: half},
		{passed: time.Minute + half, limit: 1, lines: 1, more: true, lag: half},
		{passed: 2*time.Minute + half, lines: 3, end: batch.EndClosed},
		{passed: time.Hour, limit: 3, lines: 3, end: batch.EndClosed},
	} {
		f, id := newFeed("one\ntwo\nthree", time.Now().Add(-tt.passed))
		l := generous
		if tt.limit > 0 {
			l.Items = tt.limit
		}
		c := read(t, open(t, f, id, ""), l)
		if len(c.Items) != tt.lines || c.End != tt.end || c.More != tt.more {
			t.Errorf("%v, at most %d: %d lines, end %v, more %v", tt.passed, tt.limit, len(c.Items), c.End, c.More)
		}
		if (c.Pause-tt.pause).Abs() > half/2 || (c.Lag-tt.lag).Abs() > half/2 {
			t.Errorf("%v, at most %d: pause %v and lag %v, want about %v and %v", tt.passed, tt.limit, c.Pause, c.Lag, tt.pause, tt.lag)
		}
	}
}

func TestFeedOfAnEmptySpanEndsAtOnce(t *testing.T) {
	f, id := newFeed("", time.Now().Add(time.Hour))
	if c := read(t, open(t, f, id, ""), generous); len(c.Items) != 0 || c.End != batch.EndClosed || c.Next == "" {
		t.Errorf("%+v", c)
	}
}

func TestFeedGoesOnAfterEveryLine(t *testing.T) {
	f, id := newFeed("one\ntwo\nthree\n", time.Time{})
	all := read(t, open(t, f, id, ""), generous)
	for i := range all.Items {
		rest := read(t, open(t, f, id, all.After(i)), generous)
		if len(rest.Items) != len(all.Items)-i-1 || rest.End != batch.EndClosed {
			t.Errorf("after line %d: %d lines, end %v", i, len(rest.Items), rest.End)
		}
	}
}

func TestFeedKeepsToTheLimitAndItsTexts(t *testing.T) {
	var content strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&content, "line %d %s\n", i, strings.Repeat("x", i%200))
	}
	content.WriteString(strings.Repeat("y", chunk-1) + "\n" + strings.Repeat("z", 3*chunk))
	want := strings.Split(content.String(), "\n")
	f, id := newFeed(content.String(), time.Time{})
	for _, l := range []batch.Limit{{Bytes: 1, Items: 1000}, {Bytes: 2 * lineMost, Items: 1000}, {Bytes: 1 << 30, Items: 7}} {
		var all []line
		r := open(t, f, id, "")
		for end := batch.End(0); end == 0; {
			c := read(t, r, l)
			took := int64(0)
			for _, l := range c.Items {
				took += int64(cap(l.text))
			}
			if len(c.Items) == 0 || len(c.Items) > l.Items || c.Bytes < took || c.Bytes > l.Bytes && len(c.Items) > 1 {
				t.Fatalf("%+v: %d lines of %d bytes, said to be %d", l, len(c.Items), took, c.Bytes)
			}
			all, end = append(all, c.Items...), c.End
		}
		for i, l := range all {
			if !bytes.HasPrefix([]byte(want[i]), l.text) || len(want[i]) < chunk && len(want[i]) != len(l.text) {
				t.Fatalf("line %d is %.40q, want %.40q", i, l.text, want[i])
			}
		}
		if len(all) != len(want) {
			t.Errorf("%+v: %d lines, want %d", l, len(all), len(want))
		}
	}
}

func TestFeedFaultsEndTheWorker(t *testing.T) {
	f, id := newFeed("one\ntwo\n", time.Time{})
	if _, err := f.Open(t.Context(), id, batch.Start{Position: "nonsense"}); !processor.IsFatal(err) {
		t.Errorf("a position that is none: %v", err)
	}
	f.spans[id].src.ReaderAt = strings.NewReader("one\ntw")
	if _, err := open(t, f, id, "").Read(t.Context(), generous); !processor.IsFatal(err) || !strings.Contains(err.Error(), "became shorter") {
		t.Errorf("a file that became shorter: %v", err)
	}
}

func TestFeedOfAKilledWorkerReadsNothing(t *testing.T) {
	f, id := newFeed("one\ntwo\n", time.Time{})
	r := open(t, f, id, "")
	f.alive.Lock()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := r.Read(t.Context(), generous); err != nil {
			t.Error(err)
		}
	}()
	select {
	case <-done:
		t.Error("it has read")
	case <-time.After(20 * time.Millisecond):
	}
	f.alive.Unlock()
	<-done
}
