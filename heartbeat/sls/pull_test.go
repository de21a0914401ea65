package sls

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/alloctest"
)

// page answers a pull.
func page(body string, headers ...string) *wire {
	all := append([]string{headerCursor, "next", headerCount, "1", headerBodyRawSize, "61", headerCompressType, "lz4"}, headers...)
	return always(200, body, all...)
}

func pull(t *testing.T, w *wire, buffer []byte) (Page, error) {
	t.Helper()
	p, err := newClient(t, config(w)).Pull(t.Context(), PullRequest{Shard: 2, Cursor: "this", Buffer: buffer})
	if err := w.closed(); err != nil {
		t.Error(err)
	}
	return p, err
}

func TestPull(t *testing.T) {
	p, err := pull(t, page(string(samplePage),
		headerCursorTime, "1554260243", headerReadLastCursor, "1524155379373908496", headerEndOfCursor, "1",
		headerRawDataSize, "9", headerRawDataCount, "8", headerRawDataLines, "7", headerResultLines, "6", headerFailedLines, "5"), nil)
	if err != nil {
		t.Fatal(err)
	}
	last, ok := p.ReadLastCursor()
	if p.Next != "next" || p.Count != 1 || p.RawSize != 61 || p.Compression != LZ4 || !p.CursorTime.Equal(time.Unix(1554260243, 0)) ||
		last != 1524155379373908496 || !ok || !p.EndOfCursor || p.RequestID != "5B0A6B60BB6EE39764D458B5" ||
		p.RawDataSize != 9 || p.RawDataCount != 8 || p.RawDataLines != 7 || p.ResultLines != 6 || p.FailedLines != 5 {
		t.Errorf("the page is %+v", p)
	}
	raw := make([]byte, p.RawSize)
	if n, err := lz4.UncompressBlock(p.Body, raw); err != nil || n != p.RawSize {
		t.Errorf("the body has %d bytes (%v)", n, err)
	}
	equalBytes(t, "the log group", raw[2:], sampleGroup)
}

// What is said for information only may be missing, or nonsense.
func TestPullWithoutExtras(t *testing.T) {
	for _, headers := range [][]string{
		nil,
		{headerCursorTime, "soon", headerReadLastCursor, "MTQ=", headerEndOfCursor, "0", headerRawDataSize, "-1", headerRawDataLines, "1e3"},
	} {
		p, err := pull(t, page(string(samplePage), headers...), nil)
		if _, ok := p.ReadLastCursor(); err != nil || ok || p.EndOfCursor || !p.CursorTime.IsZero() || p.RawDataSize|p.RawDataCount|p.RawDataLines|p.ResultLines|p.FailedLines != 0 {
			t.Errorf("the page is %+v (%v)", p, err)
		}
	}
}

// The end of a shard, and the empty page of a filter that moves on.
func TestEmptyPage(t *testing.T) {
	for _, body := range []string{"", "\x00"} { // the second is lz4's nothing
		for _, typ := range []string{"", "lz4"} {
			p, err := pull(t, page(body, headerCount, "0", headerBodyRawSize, "0", headerCompressType, typ), make([]byte, 10))
			if err != nil || p.Next != "next" || p.Count != 0 || p.RawSize != 0 || p.Body != nil {
				t.Errorf("the page is %+v (%v)", p, err)
			}
		}
	}
}

// A page goes where the caller wants it, if it fits.
func TestPullBuffer(t *testing.T) {
	for _, known := range []bool{true, false} {
		for _, size := range []int{0, len(samplePage) - 1, len(samplePage), 4096} {
			w := page(string(samplePage))
			plain := w.answer
			w.answer = func(s sent) (*http.Response, error) {
				r, err := plain(s)
				if !known {
					r.ContentLength = -1
				}
				return r, err
			}
			buffer := make([]byte, 7, max(size, 7))
			p, err := pull(t, w, buffer)
			if err != nil {
				t.Fatal(err)
			}
			equalBytes(t, "the page", p.Body, samplePage)
			// Without a length there has to be room to see the end.
			want := size >= len(samplePage) && known || size > len(samplePage)
			if got := &p.Body[0] == &buffer[0]; got != want && (known || size != len(samplePage)) {
				t.Errorf("a page of %d bytes is in a buffer of %d: %v (length known: %v)", len(samplePage), size, got, known)
			}
		}
	}
}

func TestPullCompressions(t *testing.T) {
	raw := append([]byte{0x0a, 0x3b}, sampleGroup...)
	e, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for typ, body := range map[string][]byte{"": raw, "lz4": samplePage, "zstd": e.EncodeAll(raw, nil)} {
		p, err := pull(t, page(string(body), headerCompressType, typ), nil)
		want := map[string]Compression{"": None, "lz4": LZ4, "zstd": Zstd}[typ]
		if err != nil || p.Compression != want {
			t.Errorf("%q is %v (%v)", typ, p.Compression, err)
		}
		equalBytes(t, "the page", p.Body, body)
	}
}

// A page that has no next cursor, and no data, is the end: the official clients take it
// for the same cursor. So is one that writes the same number in another way.
func TestPageAtTheEnd(t *testing.T) {
	for _, c := range []struct{ cursor, next, want string }{
		{"this", "", "this"}, {"this", "this", "this"}, {"this", "next", "next"},
		{"MTAw\n", "MTAw", "MTAw\n"}, {"MTAwMA", "MTAwMA==", "MTAwMA"}, {"OTk=", "MTAw", "MTAw"}, {"MTAw", "odd", "odd"},
	} {
		w := page("", headerCount, "0", headerBodyRawSize, "0", headerCursor, c.next)
		p, err := newClient(t, config(w)).Pull(t.Context(), PullRequest{Cursor: c.cursor})
		if err != nil || p.Next != c.want {
			t.Errorf("an empty page at %q with the next cursor %q goes on at %q (%v), want %q", c.cursor, c.next, p.Next, err, c.want)
		}
	}
}

// A page whose next cursor goes back, or stands still although it has data, would be
// delivered twice.
func TestPageThatDoesNotFollow(t *testing.T) {
	empty := []string{headerCount, "0", headerBodyRawSize, "0"}
	for _, c := range []struct {
		cursor, next string
		headers      []string
	}{
		{"this", "this", nil}, {"this\r\n", "this", nil}, {"this", "", nil}, {"MTAw", "MTAw", nil}, {"MTAwMA==\n", "MTAwMA==", nil}, {"MTAwMA", "MTAwMA==", nil},
		{"MTAw", "OTk=", nil},   // 100, 99
		{"OTk5", "MTAw", nil},   // 999, 100
		{"MTAw", "OTk=", empty}, // without data, what was read is read again
		{"MTAw", "LTE=", nil},   // -1
	} {
		w := page(string(samplePage), append(c.headers, headerCursor, c.next)...)
		p, err := newClient(t, config(w)).Pull(t.Context(), PullRequest{Cursor: c.cursor})
		var bad *ResponseError
		if !errors.As(err, &bad) || bad.RequestID == "" || !heartbeat.Retryable(err) || p.Body != nil {
			t.Errorf("a page at %q with the next cursor %q is %+v (%v), want a *ResponseError", c.cursor, c.next, p, err)
		}
	}
}

// The line end that some clients commit with a cursor goes where it came from, signed.
func TestCursorWithALineEnd(t *testing.T) {
	w := page(string(samplePage), headerCursor, "MTAx")
	read := w.answer
	w.answer = func(s sent) (*http.Response, error) {
		if s.Method == http.MethodPost {
			return reply(200, ""), nil
		}
		return read(s)
	}
	c := newClient(t, config(w))
	if _, err := c.Pull(t.Context(), PullRequest{Cursor: "MTAw\n", EndCursor: "MTAz\r\n"}); err != nil {
		t.Error(err)
	}
	if err := c.updateCheckpoint(t.Context(), "c1", 0, "MTAw\n"); err != nil {
		t.Error(err)
	}
	expectLines(t, w, "GET /logstores/my-logstore/shards/0?count=1000&cursor=MTAw%0A&end_cursor=MTAz%0D%0A&type=logs",
		"POST "+groupURL+`?consumer=c1&forceSuccess=false&type=checkpoint {"checkpoint":"MTAw\n","shard":0}`)
	for _, s := range []string{"\n", "a\nb", "\na", "a b\n", ""} {
		if _, err := c.Pull(t.Context(), PullRequest{Cursor: s}); err == nil {
			t.Errorf("the cursor %q is sent", s)
		}
	}
	got, err := newClient(t, config(always(200, `{"cursor":"MTAw\n"}`))).Cursor(t.Context(), 0, Begin)
	if err != nil || got != "MTAw\n" {
		t.Errorf("the service's cursor is %q (%v)", got, err)
	}
}

func TestPagesThatMakeNoSense(t *testing.T) {
	some := string(samplePage)
	for _, c := range []struct {
		name, body string
		headers    []string
	}{
		{"no cursor", some, []string{headerCursor, ""}},
		{"odd cursor", some, []string{headerCursor, "a b"}},
		{"long cursor", some, []string{headerCursor, strings.Repeat("x", maxCursor+1)}},
		{"no count", some, []string{headerCount, ""}},
		{"negative count", some, []string{headerCount, "-1"}},
		{"large count", some, []string{headerCount, "1001"}},
		{"odd count", some, []string{headerCount, "1.0"}},
		{"no size", some, []string{headerBodyRawSize, ""}},
		{"negative size", some, []string{headerBodyRawSize, "-1"}},
		{"huge size", some, []string{headerBodyRawSize, "134217729"}},
		{"overflowing size", some, []string{headerBodyRawSize, "99999999999999999999"}},
		{"groups without bytes", some, []string{headerCount, "1", headerBodyRawSize, "1"}},
		{"groups without any", "", []string{headerCount, "1", headerBodyRawSize, "0"}},
		{"bytes without groups", some, []string{headerCount, "0"}},
		{"unknown compression", some, []string{headerCompressType, "deflate"}},
		{"no body", "", nil},
		{"short body", some, []string{headerCompressType, ""}},
		{"plain body that is too long", some + "xx", []string{headerCompressType, "", headerBodyRawSize, "64"}},
		{"body that is too long", strings.Repeat("x", 1100), nil},
	} {
		p, err := pull(t, page(c.body, c.headers...), nil)
		var bad *ResponseError
		if !errors.As(err, &bad) || bad.RequestID == "" || p.Next != "" || p.Body != nil {
			t.Errorf("%s: it returned %+v, %v, want a *ResponseError", c.name, p, err)
		}
		var large *PageSizeError
		if got := errors.As(err, &large); got != (c.name == "huge size") || got && *large != (PageSizeError{1, 134217729, maxRaw}) {
			t.Errorf("%s: too large: %v", c.name, large)
		}
	}
}

// A body that breaks off is a fault of the network, which may pass.
func TestPullThatBreaksOff(t *testing.T) {
	for _, length := range []int64{int64(len(samplePage)), -1} {
		w := page("")
		plain := w.answer
		w.answer = func(s sent) (*http.Response, error) {
			r, err := plain(s)
			r.ContentLength = length
			r.Body = io.NopCloser(io.MultiReader(bytes.NewReader(samplePage[:20]), &failing{}))
			return r, err
		}
		_, err := newClient(t, config(w)).Pull(t.Context(), PullRequest{Cursor: "x"})
		var te *TransportError
		if !errors.As(err, &te) || !errors.Is(err, errCut) || !heartbeat.Retryable(err) {
			t.Errorf("length %d: it returned %v, want a *TransportError", length, err)
		}
	}
}

var errCut = errors.New("connection was cut")

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, errCut }

func FuzzPage(f *testing.F) {
	f.Add("next", "1", "61", "lz4", "1554260243", "15", []byte("body"))
	f.Add("", "-1", "", "zstd", "x", "", []byte(nil))
	f.Add("n", "0", "0", "", "", "9", []byte("x"))
	f.Fuzz(func(t *testing.T, next, count, size, typ, at, last string, body []byte) {
		resp := reply(200, string(body))
		for name, value := range map[string]string{
			headerCursor: next, headerCount: count, headerBodyRawSize: size, headerCompressType: typ,
			headerCursorTime: at, headerReadLastCursor: last, headerRawDataSize: size, headerRetryAfter: at,
		} {
			resp.Header[name] = []string{value}
		}
		if after, ok := retryAfter(at, sampleDate); after < 0 || after > maxRetryAfter || !ok && after != 0 {
			t.Errorf("%q is a pause of %v", at, after)
		}
		const cursor = "MTAw\n" // 100
		if n := alloctest.Bytes(func() {
			_, _ = readPage(&http.Response{Header: resp.Header, ContentLength: 1 << 40, Body: io.NopCloser(bytes.NewReader(body))}, cursor, nil)
		}); n > 2*len(body)+preallocated+64<<10 {
			t.Errorf("a page of %d bytes allocates %d", len(body), n)
		}
		p, err := readPage(resp, cursor, make([]byte, 0, 16))
		if err != nil {
			return
		}
		if n, ok := CursorNumber(p.Next); ok && (n < 100 || n == 100 && p.Count > 0) {
			t.Errorf("the page does not follow %q: %+v", cursor, p)
		}
		if p.Next != next && p.Next != cursor || !validCursor(p.Next) || p.Count < 0 || p.Count > MaxCount || p.RawSize < 2*p.Count || p.RawSize > maxRaw ||
			(p.RawSize == 0) != (p.Body == nil) || p.Body != nil && !bytes.Equal(p.Body, body) {
			t.Errorf("the page is %+v", p)
		}
	})
}

func BenchmarkPull(b *testing.B) {
	const size = 2 << 20
	body := bytes.Repeat([]byte{0}, size)
	w := roundTripper(func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: 200, ContentLength: size, Body: io.NopCloser(bytes.NewReader(body)),
			Header: http.Header{
				headerCursor: {"MTQ0NzMyOTQwMTEwMjEzMDkwNQ=="}, headerCount: {"1000"}, headerBodyRawSize: {"4000000"},
				headerCompressType: {"lz4"}, headerRequestID: {"5B0A6B60BB6EE39764D458B5"},
			},
		}, nil
	})
	c := newClient(b, config(w))
	buffer := make([]byte, 0, size)
	b.ReportAllocs()
	b.SetBytes(size)
	for b.Loop() {
		if _, err := c.Pull(b.Context(), PullRequest{Cursor: "MTQ0NzMyOTQwMTEwMjEzMDkwNA==", Buffer: buffer}); err != nil {
			b.Fatal(err)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
