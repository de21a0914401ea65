package slslog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// TestReleasedOnce: whatever goes wrong with a page, its memory is released exactly once.
func TestReleasedOnce(t *testing.T) {
	wrong := errors.New("wrong")
	for name, c := range map[string]struct {
		damage func(p *sls.Page)
		fail   error
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
		if c.damage != nil {
			s.damage = func(_ sls.PullRequest, p *sls.Page) { c.damage(p) }
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

// TestTooLarge: if a page is above MaxRaw, fewer groups are requested. If a single group stays above it,
// the shard is halted, and the error says what to do.
func TestTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
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
		for began := time.Now(); ; time.Sleep(time.Second) {
			_, err := r.reader.Read(t.Context(), anything)
			var large *TooLargeError
			if !errors.As(err, &large) || large.Size < 200000 || large.Max != 100000 || large.Groups != 1 {
				t.Fatalf("one group above the bound: %v", err)
			}
			for _, part := range []string{"shard 0", r.reader.cursor, fmt.Sprint(large.Size), "100000", "MaxRaw"} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q does not say %s", err, part)
				}
			}
			took := time.Since(began)
			if halts := processor.IsHalt(err); halts != (took >= haltTooLargeAfter) {
				t.Errorf("after %v: halts %v", took, halts)
			}
			if took >= haltTooLargeAfter {
				break
			}
		}
	})
}

// A wrong size in one damaged header does not halt the shard.
func TestTooLargeByMistake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.put(0, 3)
		r := newRig(t, s, Options{}, batch.Start{})
		for round := range 3 {
			for _, damage := range []func(p *sls.Page){
				func(p *sls.Page) { p.RawSize = 1 << 30 },
				func(p *sls.Page) { p.RawSize++ },
				func(p *sls.Page) { p.RawSize = 1 << 30 },
			} {
				s.damage = func(_ sls.PullRequest, p *sls.Page) { damage(p) }
				if _, err := r.reader.Read(t.Context(), anything); err == nil || processor.IsHalt(err) {
					t.Fatalf("round %d: %v", round, err)
				}
				time.Sleep(4 * time.Second)
			}
		}
		s.damage = nil
		got, _ := r.all()
		same(t, "read", got, upTo(3))
	})
}

// TestTooLargeForTheClient: if a page is above the client's own bound, fewer groups are requested too. If
// the server sends more groups than requested, the requests end.
func TestTooLargeForTheClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &oversized{shelf: newShelf(1), t: t, most: 7}
		c.put(0, 40)
		src, err := New(c, Options{})
		must(t, err)
		r := open(t, src, 0, batch.Start{})
		if n := len(readFrom(t, r, anything).Items); n < 1 || n > 7 {
			t.Errorf("read %d groups", n)
		}
		c.most = 0 // however few are asked for
		c.asked = nil
		for began := time.Now(); time.Since(began) <= haltTooLargeAfter; time.Sleep(time.Second) {
			_, err = r.Read(t.Context(), anything)
			if !errors.As(err, new(*TooLargeError)) {
				t.Fatalf("it is %v", err)
			}
		}
		if !processor.IsHalt(err) || len(c.asked) > 20 {
			t.Errorf("%d pulls, and then %v", len(c.asked), err)
		}
	})
}

// oversized is a server whose pages of more than so many groups are above the client's
// bound.
type oversized struct {
	*shelf
	t     *testing.T
	most  int
	asked []int
}

func (o *oversized) Pull(ctx context.Context, r sls.PullRequest) (sls.Page, error) {
	o.asked = append(o.asked, r.Count)
	if r.Count <= o.most {
		return o.shelf.Pull(ctx, r)
	}
	c, err := sls.New(sls.Config{Endpoint: "127.0.0.1", Logstore: testLog, Transport: trip(func(*http.Request) (*http.Response, error) {
		h := http.Header{"X-Log-Cursor": {r.Cursor}, "X-Log-Count": {"40"}, "X-Log-Bodyrawsize": {"100000000"}, "X-Log-Requestid": {"1"}}
		return &http.Response{StatusCode: 200, Header: h, Body: http.NoBody}, nil
	})})
	must(o.t, err)
	return c.Pull(ctx, r)
}

// TestDamagedPage: a page that cannot be decoded is read again, without a bound.
func TestDamagedPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.put(0, 10)
		s.damage = func(_ sls.PullRequest, p *sls.Page) { p.Body[0] = 0 }
		r := newRig(t, s, Options{}, batch.Start{})
		for range 1000 {
			_, err := r.reader.Read(t.Context(), anything)
			var decode *DecodeError
			if !errors.As(err, &decode) || processor.IsHalt(err) || !strings.Contains(err.Error(), "shard 0") {
				t.Fatalf("a damaged page: %v", err)
			}
			time.Sleep(4 * time.Second)
		}
		if r.reader.cursor != formatCursor(1000) {
			t.Errorf("at %q", r.reader.cursor)
		}
		s.damage = nil
		got, _ := r.all()
		same(t, "read", got, upTo(10))
	})
}

// Numbers are counted back from the last group. With a gap anywhere, a commit would skip log groups.
func TestNumbersWithAGapAreNotUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.put(0, 6) // 1000..1005
		// groups 1002 to 1004 are withheld, without a query of ours
		s.drop = func(_ int, g *shelfGroup) bool {
			n := string(g.raw)
			return strings.Contains(n, "n\x12\x012") || strings.Contains(n, "n\x12\x013") || strings.Contains(n, "n\x12\x014")
		}
		s.damage = func(_ sls.PullRequest, p *sls.Page) { numberPage(t, p, 1005) }
		r := newRig(t, s, Options{}, batch.Start{})
		c := r.read()
		if c.After != nil {
			n, _ := sls.CursorNumber(string(c.After(0)))
			t.Errorf("groups %v: the position after the first is %d: a commit of it skips the second", contents(c.Items), n)
		}
	})
}
