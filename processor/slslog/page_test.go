package slslog

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// TestGivenBackOnce: whatever goes wrong with a page, no memory stays out, and none comes
// back twice.
func TestGivenBackOnce(t *testing.T) {
	wrong := errors.New("wrong")
	for name, c := range map[string]struct {
		spoil func(p *sls.Page)
		fail  error
	}{
		"nothing wrong":    {func(*sls.Page) {}, nil},
		"empty":            {func(p *sls.Page) { p.Count, p.RawSize, p.Body = 0, 0, nil }, nil},
		"pull fails":       {nil, wrong},
		"too large":        {func(p *sls.Page) { p.RawSize, p.Count = 1<<20+1, 1 }, nil},
		"not compressed":   {func(p *sls.Page) { p.Compression = sls.LZ4; p.Body[0] ^= 0xff }, nil},
		"too short":        {func(p *sls.Page) { p.Body = p.Body[:len(p.Body)-1] }, nil},
		"garbage":          {func(p *sls.Page) { p.Body[0] = 0 }, nil},
		"too few groups":   {func(p *sls.Page) { p.Count++ }, nil},
		"in other memory":  {func(p *sls.Page) { p.Body = append([]byte(nil), p.Body...) }, nil},
		"too many to want": {func(p *sls.Page) { p.RawSize, p.Count = 1<<20+1, 2000 }, nil},
	} {
		s := newShelf(1)
		for range 60 {
			s.putSized(0, 1000)
		}
		r := newRig(t, s, Options{MaxRaw: 1 << 20}, batch.Start{})
		pool := r.source.buffers
		first := readFrom(t, r.reader, batch.Limit{Bytes: 50000, Items: 10})
		first.Release()
		first.Release()
		idle := []*buffer{pool.take(1), pool.take(1), pool.take(1), pool.take(1)}
		for _, b := range idle { // more than a read takes, so that what is missing shows
			b.release()
		}
		before := pool.bytes
		if c.spoil != nil {
			s.spoil = func(_ sls.PullRequest, p *sls.Page) { c.spoil(p) }
		}
		s.failPull = func(sls.PullRequest) error { return c.fail }
		at := r.reader.Position()
		got, err := r.reader.Read(t.Context(), batch.Limit{Bytes: 50000, Items: 10})
		if fine := name == "nothing wrong" || name == "empty" || name == "in other memory"; fine != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (r.reader.Position() != at || got.Release != nil || got.Items != nil) {
			t.Errorf("%s: moved to %q with %d groups", name, r.reader.Position(), len(got.Items))
		}
		if got.Release != nil {
			pool.take(1).release() // somebody else is at work meanwhile
			got.Release()
		}
		sum := 0
		for _, b := range pool.idle {
			sum += cap(b)
		}
		if sum != pool.bytes || pool.bytes != before {
			t.Errorf("%s: %d bytes are idle, %d counted, %d before", name, sum, pool.bytes, before)
		}
	}
}

// TestTooLarge: a page above MaxRaw is asked for again with fewer groups. One group above
// it halts the shard.
func TestTooLarge(t *testing.T) {
	s := newShelf(1)
	s.put(0, 1000)
	for range 20 {
		s.putSized(0, 30000)
	}
	s.putSized(0, 200000)
	r := newRig(t, s, Options{MaxRaw: 100000}, batch.Start{})
	var got []string
	for len(got) < 1020 {
		c, err := r.reader.Read(t.Context(), anything)
		must(t, err)
		if !c.More {
			t.Fatalf("at %d: no more", len(got))
		}
		got = append(got, contents(c.Items)...)
		c.Release()
	}
	same(t, "read", got, upTo(1020))
	if n := len(s.pulls); n > 40 {
		t.Errorf("it took %d pulls", n)
	}
	_, err := r.reader.Read(t.Context(), anything)
	var refused *DecompressError
	if !processor.IsHalt(err) || !errors.Is(err, ErrTooLarge) || !errors.As(err, &refused) || refused.RawSize < 200000 {
		t.Errorf("one group above the bound: %v", err)
	}
}

// TestSpoilt: a page that cannot be read is tried again twice, and then halts the shard.
// A good one in between starts the count anew.
func TestSpoilt(t *testing.T) {
	s := newShelf(1)
	s.put(0, 10)
	bad := 0
	s.spoil = func(_ sls.PullRequest, p *sls.Page) {
		if bad--; bad >= 0 {
			p.Body[0] = 0
		}
	}
	r := newRig(t, s, Options{}, batch.Start{})
	limit := batch.Limit{Bytes: 1 << 20, Items: 2}
	want := []string{}
	for round := range 3 {
		bad = 2
		for range bad {
			_, err := r.reader.Read(t.Context(), limit)
			var decode *DecodeError
			if !errors.As(err, &decode) || processor.IsHalt(err) {
				t.Fatalf("a spoilt page: %v", err)
			}
		}
		want = append(want, fmt.Sprint(2*round), fmt.Sprint(2*round+1))
		c := readFrom(t, r.reader, limit)
		same(t, "after spoilt pages", contents(c.Items), want[2*round:])
	}
	bad = 3
	var err error
	for i := range 3 {
		if _, err = r.reader.Read(t.Context(), limit); processor.IsHalt(err) != (i == 2) {
			t.Errorf("spoilt page %d: %v", i, err)
		}
	}
	var decode *DecodeError
	if !errors.As(err, &decode) || r.reader.cursor != formatCursor(1006) {
		t.Errorf("at %q: %v", r.reader.cursor, err)
	}
}

// Numbers are counted back from the last group. A hole anywhere would have a commit skip
// log groups.
func TestNumbersWithAGapAreNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.put(0, 6) // 1000..1005
		// groups 1002 to 1004 are withheld, without a query of ours
		s.drop = func(_ int, g *shelfGroup) bool {
			n := string(g.raw)
			return strings.Contains(n, "n\x12\x012") || strings.Contains(n, "n\x12\x013") || strings.Contains(n, "n\x12\x014")
		}
		s.spoil = func(_ sls.PullRequest, p *sls.Page) { numberPage(t, p, 1005) }
		r := newRig(t, s, Options{}, batch.Start{})
		c := r.read()
		if c.After != nil {
			n, _ := parseCursor(string(c.After(0)))
			t.Errorf("groups %v: the position after the first is %d: a commit of it skips the second", contents(c.Items), n)
		}
	})
}
