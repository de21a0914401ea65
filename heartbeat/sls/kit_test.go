package sls

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// sent is a request as the wire saw it.
type sent struct {
	*http.Request
	body []byte
}

// line is the request without what is the same in all.
func (s sent) line() string {
	l := s.Method + " " + s.URL.RequestURI()
	if len(s.body) > 0 {
		l += " " + string(s.body)
	}
	return l
}

// wire is a network without one: it keeps what is sent and answers from a script.
type wire struct {
	answer func(sent) (*http.Response, error)

	mu     sync.Mutex // guards the fields below
	sent   []sent
	bodies []*trackedBody
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	s := sent{Request: r}
	if r.Body != nil {
		s.body, _ = io.ReadAll(r.Body)
		_ = r.Body.Close()
	}
	if int64(len(s.body)) != r.ContentLength {
		panic(fmt.Sprintf("the length %d is announced for %d bytes", r.ContentLength, len(s.body)))
	}
	w.mu.Lock()
	w.sent = append(w.sent, s)
	w.mu.Unlock()
	resp, err := w.answer(s)
	if err != nil {
		return nil, err
	}
	b := &trackedBody{ReadCloser: resp.Body}
	resp.Body = b
	w.mu.Lock()
	w.bodies = append(w.bodies, b)
	w.mu.Unlock()
	return resp, nil
}

func (w *wire) lines() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	lines := make([]string, len(w.sent))
	for i, s := range w.sent {
		lines[i] = s.line()
	}
	return lines
}

// reset forgets what was sent.
func (w *wire) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = nil
}

// closed reports whether every body was read to its end and closed.
func (w *wire) closed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, b := range w.bodies {
		if !b.ended || !b.closed {
			return fmt.Errorf("the body of answer %d: read to its end: %v, closed: %v", i, b.ended, b.closed)
		}
	}
	return nil
}

type trackedBody struct {
	io.ReadCloser
	ended, closed bool
}

func (b *trackedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.ended = true
	}
	return n, err
}

func (b *trackedBody) Close() error { b.closed = true; return b.ReadCloser.Close() }

// reply is an answer.
func reply(status int, body string, headers ...string) *http.Response {
	h := http.Header{headerRequestID: {"5B0A6B60BB6EE39764D458B5"}}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{
		StatusCode: status, Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
}

// foreignReply is an answer that somebody else wrote.
func foreignReply(status int, body string, headers ...string) *http.Response {
	r := reply(status, body, headers...)
	r.Header.Del(headerRequestID)
	return r
}

// refuse is an answer of the service that says no.
func refuse(status int, code, message string) *http.Response {
	body, err := json.Marshal(map[string]string{"errorCode": code, "errorMessage": message})
	if err != nil {
		panic(err)
	}
	return reply(status, string(body))
}

// always answers everything with the same.
func always(status int, body string, headers ...string) *wire {
	return &wire{answer: func(sent) (*http.Response, error) { return reply(status, body, headers...), nil }}
}

const listPath = "/logstores/my-logstore/consumergroups"

// service answers like a group that exists; a hook may answer first.
func service(timeout int, first func(sent) *http.Response) *wire {
	return &wire{answer: func(s sent) (*http.Response, error) {
		if first != nil {
			if r := first(s); r != nil {
				return r, nil
			}
		}
		switch {
		case s.Method == "GET" && s.URL.Path == listPath:
			return reply(200, fmt.Sprintf(`[{"name":"other","timeout":99,"order":true},{"name":"my-group","timeout":%d,"order":false}]`, timeout)), nil
		case s.URL.Query().Get("type") == "heartbeat":
			return reply(200, string(s.body)), nil
		}
		return reply(200, ""), nil
	}}
}

func config(w http.RoundTripper) Config {
	return Config{
		Endpoint: "cn-hangzhou.log.aliyuncs.com", Project: "my-project", Logstore: "my-logstore", Group: "my-group",
		Credentials: Static(mockID, mockSecret, ""), Timeout: 6 * time.Second, Member: "c1", Transport: w,
	}
}

func newClient(t testing.TB, cfg Config) *Client {
	t.Helper()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func ids(numbers ...int) []shardset.Grant {
	grants := make([]shardset.Grant, len(numbers))
	for i, n := range numbers {
		grants[i].ID = shardset.ID{Log: "my-logstore", Number: n}
	}
	return grants
}

func request(held ...int) shardset.Heartbeat {
	return shardset.Heartbeat{Member: "c1", Seq: 1, Instance: 7, Generation: 3, Held: ids(held...)}
}

func owner(number int) processor.Owner {
	return processor.Owner{Member: "c1", Instance: 7, Lease: shardset.Lease{ID: shardset.ID{Log: "my-logstore", Number: number}, Epoch: 5}}
}

func expectLines(t *testing.T, w *wire, want ...string) {
	t.Helper()
	if got := w.lines(); !slices.Equal(got, want) {
		t.Errorf("it sent\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// operations calls everything there is.
func operations(c *Client) map[string]func(context.Context) error {
	const key = "80000000000000000000000000000000"
	return map[string]func(context.Context) error{
		opCreateGroup: func(ctx context.Context) error {
			return c.createGroup(ctx, Group{Name: "my-group", Timeout: time.Minute, Ordered: true})
		},
		opUpdateGroup: func(ctx context.Context) error {
			return c.UpdateGroup(ctx, Group{Name: "my-group", Timeout: time.Minute, Ordered: true})
		},
		opDeleteGroup: func(ctx context.Context) error { return c.DeleteGroup(ctx, "my-group") },
		opListGroups:  func(ctx context.Context) error { _, err := c.ListGroups(ctx); return err },
		opHeartbeat:   func(ctx context.Context) error { _, err := c.heartbeat(ctx, "c1", []int{0, 1}); return err },
		opUpdateCheckpoint: func(ctx context.Context) error {
			return c.updateCheckpoint(ctx, "c1", 0, "MTUyNDE1NTM3OTM3MzkwODQ5Ng==")
		},
		opGetCheckpoint: func(ctx context.Context) error { _, _, err := c.getCheckpoint(ctx, 0); return err },
		opListShards:    func(ctx context.Context) error { _, err := c.ListShards(ctx); return err },
		opCursor:        func(ctx context.Context) error { _, err := c.Cursor(ctx, 0, Begin); return err },
		opCursorTime: func(ctx context.Context) error {
			_, err := c.CursorTime(ctx, 0, "MTQ0NzMyOTQwMTEwMjEzMDkwNA==")
			return err
		},
		opPull: func(ctx context.Context) error {
			_, err := c.Pull(ctx, PullRequest{Cursor: "MTQ0NzMyOTQwMTEwMjEzMDkwNA=="})
			return err
		},
		opPut:   func(ctx context.Context) error { return c.Put(ctx, sampleGroup, PutOptions{}) },
		opSplit: func(ctx context.Context) error { _, err := c.SplitShard(ctx, 0, key); return err },
		opMerge: func(ctx context.Context) error { _, err := c.MergeShards(ctx, 0); return err },
	}
}

// answers has an answer of status 200 for each operation.
var answers = map[string]func() *http.Response{
	opCreateGroup:      func() *http.Response { return reply(200, "{}") },
	opUpdateGroup:      func() *http.Response { return reply(200, "{}") },
	opDeleteGroup:      func() *http.Response { return reply(200, "") },
	opListGroups:       func() *http.Response { return reply(200, `[{"name":"my-group","timeout":60,"order":true}]`) },
	opHeartbeat:        func() *http.Response { return reply(200, "[0]\n") },
	opUpdateCheckpoint: func() *http.Response { return reply(200, "{}") },
	opGetCheckpoint: func() *http.Response {
		return reply(200, `[{"shard":0,"checkpoint":"MTUyNDE1NTM3OTM3MzkwODQ5Ng==","updateTime":1524224984800922,"consumer":"c1"}]`)
	},
	opListShards: func() *http.Response { return reply(200, shardList) },
	opCursor:     func() *http.Response { return reply(200, `{"cursor":"MTQ0NzI5OTYwNjg5NjYzMjM1Ng=="}`) },
	opCursorTime: func() *http.Response { return reply(200, `{"cursor_time":1554260243}`) },
	opPull: func() *http.Response {
		return reply(200, string(samplePage), headerCursor, "MTQ0NzMyOTQwMTEwMjEzMDkwNQ==", headerCount, "1",
			headerBodyRawSize, "61", headerCompressType, "lz4")
	},
	opPut:   func() *http.Response { return reply(200, "") },
	opSplit: func() *http.Response { return reply(200, shardList) },
	opMerge: func() *http.Response { return reply(200, shardList) },
}

const shardList = `[{"shardID":0,"status":"readonly","inclusiveBeginKey":"00000000000000000000000000000000",
	"exclusiveEndKey":"80000000000000000000000000000000","createTime":1453949705,"serverIp":"10.0.0.1"},
	{"shardID":1,"status":"readwrite","inclusiveBeginKey":"80000000000000000000000000000000",
	"exclusiveEndKey":"ffffffffffffffffffffffffffffffff","createTime":0}]`

// samplePage is a list of one log group, as an lz4 block that holds it as it is.
var samplePage = literalBlock(append([]byte{0x0a, 0x3b}, sampleGroup...))

// fixed answers each operation of the client with what answers has for it.
func fixed(op string) *wire {
	return &wire{answer: func(sent) (*http.Response, error) { return answers[op](), nil }}
}

func equalBytes(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s is %x, want %x", what, got, want)
	}
}

// lastGroup returns the settings of the client's group as last read, and false if they are not
// known.
func (c *Client) lastGroup() (Group, bool) {
	c.group.mu.Lock()
	defer c.group.mu.Unlock()
	return c.group.group, c.group.known
}
