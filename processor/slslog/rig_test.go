package slslog

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// rig reads one shard of a shelf.
type rig struct {
	t      *testing.T
	shelf  *shelf
	source *Source
	reader *reader
}

func newRig(t *testing.T, s *shelf, o Options, start batch.Start) *rig {
	t.Helper()
	src, err := New(s, o)
	must(t, err)
	return &rig{t: t, shelf: s, source: src, reader: open(t, src, 0, start)}
}

func open(t *testing.T, src *Source, shard int, start batch.Start) *reader {
	t.Helper()
	if (start.Initial == batch.Initial{}) {
		start.Initial = batch.Earliest()
	}
	r, err := src.Open(t.Context(), shardset.ID{Log: testLog, Number: shard}, start)
	must(t, err)
	t.Cleanup(func() { _ = r.Close() })
	return r.(*reader)
}

var anything = batch.Limit{Bytes: 1 << 20, Items: 1000}

func (r *rig) read() batch.Chunk[Group] {
	r.t.Helper()
	return readFrom(r.t, r.reader, anything)
}

func readFrom(t *testing.T, r *reader, l batch.Limit) batch.Chunk[Group] {
	t.Helper()
	c, err := r.Read(t.Context(), l)
	must(t, err)
	if c.Next != r.Position() {
		t.Errorf("the chunk's next position is %q, the reader's %q", c.Next, r.Position())
	}
	return c
}

// all reads until the chunk that ends, a quarter of a second apart, and returns the
// numbers of all groups. It gives up after a minute.
func (r *rig) all() (numbers []string, end batch.End) {
	r.t.Helper()
	for began := time.Now(); time.Since(began) < time.Minute; time.Sleep(250 * time.Millisecond) {
		c := r.read()
		numbers = append(numbers, contents(c.Items)...)
		if c.Release != nil {
			c.Release()
		}
		if c.End != 0 {
			return numbers, c.End
		}
	}
	return numbers, 0
}

// contents returns the numbers of groups.
func contents(groups []Group) (numbers []string) {
	for _, g := range groups {
		for l := range g.Logs() {
			v, _ := l.Value("n")
			numbers = append(numbers, string(v))
		}
	}
	return numbers
}

func upTo(n int) (numbers []string) {
	for i := range n {
		numbers = append(numbers, fmt.Sprint(i))
	}
	return numbers
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// numberPage gives a page the header with the number of its last group. Only the client
// can do that, so a page is sent through it.
func numberPage(t *testing.T, p *sls.Page, last int64) {
	t.Helper()
	if last == 0 {
		return
	}
	h := http.Header{
		"X-Log-Cursor": {p.Next}, "X-Log-Count": {strconv.Itoa(p.Count)}, "X-Log-Bodyrawsize": {strconv.Itoa(p.RawSize)},
		"X-Log-Read-Last-Cursor": {strconv.FormatInt(last, 10)}, "X-Log-Requestid": {"5B0A6B60BB6EE39764D458B5"},
	}
	c, err := sls.New(sls.Config{
		Endpoint: "127.0.0.1", Logstore: testLog,
		Transport: trip(func(*http.Request) (*http.Response, error) {
			return &http.Response{
				StatusCode: 200, Header: h, ContentLength: int64(len(p.Body)), Body: io.NopCloser(bytes.NewReader(p.Body)),
			}, nil
		}),
	})
	must(t, err)
	got, err := c.Pull(t.Context(), sls.PullRequest{Cursor: "MA==", Compression: sls.None})
	must(t, err)
	*p = got
}

type trip func(*http.Request) (*http.Response, error)

func (f trip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
