package sls

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/alloctest"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

func TestParseNumbers(t *testing.T) {
	for in, want := range map[string][]int{
		"[]": {}, " [ ]\n": {}, "[0]": {0}, "[1,0]": {1, 0}, "[ 2147483647 ]": {maxShard},
	} {
		got, err := parseNumbers([]byte(in))
		if err != nil || got == nil || !slices.Equal(got, want) {
			t.Errorf("%q is %v (%v), want %v", in, got, err, want)
		}
	}
	if _, err := parseNumbers([]byte("[" + strings.Repeat("0,", maxShards) + "0]")); err == nil {
		t.Error("an endless list is taken")
	}
}

func TestListsThatMakeNoSense(t *testing.T) {
	for op, bodies := range map[string][]string{
		opListGroups: {`{"count":0,"consumerGroups":[]}`, `"x"`, `7`},
		opListShards: {
			`[null]`, `[{}]`, `[{"shardID":-1,"status":"readonly"}]`, `[{"shardID":"1","status":"readonly"}]`, `[7]`,
			`[{"shardID":null,"status":"readonly"}]`, `[null,{"status":"readwrite"}]`,
		},
		opGetCheckpoint: {
			`[null]`, `[{}]`, `[{"shard":0}]`, `[{"checkpoint":"x"}]`, `[{"shard":0,"checkpoint":null}]`, `[{"shard":0,"checkpoint":7}]`,
			`[{"shard":0,"checkpoint":"` + strings.Repeat("x", maxCursor+1) + `"}]`,
			`[{"shard":0,"checkpoint":"a"},{"shard":0,"checkpoint":"b"}]`,
		},
		opCursor:     {`{}`, `{"cursor":""}`, `{"cursor":"a b"}`, `{"cursor":"a\nb"}`, `{"cursor":7}`, `{"cursor":"` + strings.Repeat("x", maxCursor+1) + `"}`, `[]`},
		opCursorTime: {`{}`, `{"cursor_time":"1554260243"}`, `{"cursor_time":-1}`, `{"cursor_time":0}`, `{"cursor_time":9e18}`, `[]`},
	} {
		for _, body := range append(bodies, "", "null", "[] x", "{", strings.Repeat("[", 20000)) {
			err := operations(newClient(t, config(always(200, body))))[op](t.Context())
			var bad *ResponseError
			if !errors.As(err, &bad) || bad.Op != op || bad.RequestID == "" || len(err.Error()) > 700 {
				t.Errorf("%s answered with %s returned %v, want a *ResponseError", op, bounded(body, 100), err)
			}
			if !heartbeat.Retryable(err) {
				t.Errorf("%v is final", err)
			}
		}
	}
}

// A body that does not end is not read to the end of memory.
func TestOversizedBodies(t *testing.T) {
	for _, status := range []int{200, 400} {
		for op := range answers {
			endless := &endlessBody{}
			w := &wire{answer: func(sent) (*http.Response, error) {
				r := reply(status, "", headerCursor, "x", headerCount, "1", headerBodyRawSize, "1000000")
				r.Body, r.ContentLength = endless, -1
				return r, nil
			}}
			err := operations(newClient(t, config(w)))[op](t.Context())
			if endless.read > 6<<20 || !endless.closed {
				t.Errorf("%s: of an endless body of status %d it read %d bytes (closed: %v)", op, status, endless.read, endless.closed)
			}
			silent := op == opPut || op == opCreateGroup || op == opUpdateGroup || op == opDeleteGroup || op == opUpdateCheckpoint
			if err == nil && (status != 200 || !silent) {
				t.Errorf("%s took an endless body of status %d", op, status)
			}
		}
	}
}

type endlessBody struct {
	read   int
	closed bool
}

func (b *endlessBody) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '['
	}
	b.read += len(p)
	return len(p), nil
}

func (b *endlessBody) Close() error { b.closed = true; return nil }

func TestShards(t *testing.T) {
	got, err := newClient(t, config(fixed(opListShards))).ListShards(t.Context())
	const begin, mid, end = "00000000000000000000000000000000", "80000000000000000000000000000000", "ffffffffffffffffffffffffffffffff"
	want := []Shard{
		{Number: 0, ReadOnly: true, BeginKey: begin, EndKey: mid, Created: time.Unix(1453949705, 0)},
		{Number: 1, BeginKey: mid, EndKey: end},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("the shards are %+v (%v), want %+v", got, err, want)
	}
}

// An element of a list of shards that is odd spoils its own shard at most.
func TestOddShards(t *testing.T) {
	for body, want := range map[string][]Shard{
		`[{"shardID":0,"status":"frozen"},{"shardID":1,"status":"readonly"}]`:                 {{Number: 0, UnknownStatus: `"frozen"`}, {Number: 1, ReadOnly: true}},
		`[{"shardID":0},{"shardID":1,"status":"readonly"}]`:                                   {{Number: 0, UnknownStatus: `""`}, {Number: 1, ReadOnly: true}},
		`[{"shardID":0,"status":7},{"shardID":1,"status":"readonly"}]`:                        {{Number: 0, UnknownStatus: `""`}, {Number: 1, ReadOnly: true}},
		`[{"shardID":"0","status":"readwrite"},{"shardID":1,"status":"readonly"}]`:            {{Number: 1, ReadOnly: true}},
		`[null,7,{},{"shardID":-1,"status":"readonly"},{"shardID":1,"status":"readonly"}]`:    {{Number: 1, ReadOnly: true}},
		`[{"shardID":1,"status":"readonly","createTime":"1453949705","inclusiveBeginKey":7}]`: {{Number: 1, ReadOnly: true}},
		`[]`: {},
	} {
		got, err := newClient(t, config(always(200, body))).ListShards(t.Context())
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s is %+v (%v), want %+v", body, got, err, want)
		}
	}
}

// What is odd about other shards' checkpoints does not keep a shard from its own.
func TestLoadBesideOddCheckpoints(t *testing.T) {
	for _, odd := range []string{
		`{"shard":2}`, `{"shard":2,"checkpoint":7}`, `{"shard":2,"checkpoint":"` + strings.Repeat("x", maxCursor+1) + `"}`,
		`{"shard":2,"checkpoint":"a"},{"shard":2,"checkpoint":"b"}`, `{}`, `null`, `{"shard":-1,"checkpoint":"x"}`, `7`,
	} {
		w := always(200, `[`+odd+`,{"shard":3,"checkpoint":"mine"}]`)
		if p, ok, err := newClient(t, config(w)).Load(t.Context(), owner(3)); p != "mine" || !ok || err != nil {
			t.Errorf("beside %s: %q, %v, %v", bounded(odd, 60), p, ok, err)
		}
	}
	// What may be the shard's own is not taken for none.
	for _, odd := range []string{`{"checkpoint":"mine"}`, `null`, `{"shard":"3","checkpoint":"mine"}`, `{"shard":3,"checkpoint":7}`} {
		w := always(200, `[{"shard":2,"checkpoint":"other"},`+odd+`]`)
		if p, ok, err := newClient(t, config(w)).Load(t.Context(), owner(3)); err == nil {
			t.Errorf("only %s: %q, %v", odd, p, ok)
		}
	}
}

func TestCursors(t *testing.T) {
	if got, err := newClient(t, config(fixed(opCursor))).Cursor(t.Context(), 0, Begin); err != nil || got != "MTQ0NzI5OTYwNjg5NjYzMjM1Ng==" {
		t.Errorf("the cursor is %q (%v)", got, err)
	}
	if got, err := newClient(t, config(fixed(opCursorTime))).CursorTime(t.Context(), 0, "x"); err != nil || !got.Equal(time.Unix(1554260243, 0)) {
		t.Errorf("its time is %v (%v)", got, err)
	}
}

func TestBadRequestsAreNotSent(t *testing.T) {
	w := always(200, "[]")
	c := newClient(t, config(w))
	ctx := t.Context()
	calls := map[string]func() error{}
	for _, n := range []int{-1, maxShard + 1} {
		calls[fmt.Sprint("get checkpoint ", n)] = func() error { _, _, err := c.getCheckpoint(ctx, n); return err }
		calls[fmt.Sprint("update checkpoint ", n)] = func() error { return c.updateCheckpoint(ctx, "m", n, "x") }
		calls[fmt.Sprint("cursor ", n)] = func() error { _, err := c.Cursor(ctx, n, Begin); return err }
		calls[fmt.Sprint("cursor time ", n)] = func() error { _, err := c.CursorTime(ctx, n, "x"); return err }
		calls[fmt.Sprint("pull ", n)] = func() error { _, err := c.Pull(ctx, PullRequest{Shard: n, Cursor: "x"}); return err }
		calls[fmt.Sprint("split ", n)] = func() error { _, err := c.SplitShard(ctx, n, strings.Repeat("8", 32)); return err }
		calls[fmt.Sprint("merge ", n)] = func() error { _, err := c.MergeShards(ctx, n); return err }
		calls[fmt.Sprint("count ", n)] = func() error { _, err := c.Pull(ctx, PullRequest{Cursor: "x", Count: n}); return err }
	}
	for _, from := range []From{"", "middle", "-1", "01", "1.5", At(time.Time{}), At(time.Unix(-1, 0))} {
		calls["from "+string(from)] = func() error { _, err := c.Cursor(ctx, 0, from); return err }
	}
	for _, cursor := range []string{"", "a b", "a\nb", "é", strings.Repeat("x", maxCursor+1)} {
		calls["time of "+cursor] = func() error { _, err := c.CursorTime(ctx, 0, cursor); return err }
		calls["pull at "+cursor] = func() error { _, err := c.Pull(ctx, PullRequest{Cursor: cursor}); return err }
		if cursor != "" {
			calls["pull to "+cursor] = func() error { _, err := c.Pull(ctx, PullRequest{Cursor: "x", EndCursor: cursor}); return err }
		}
	}
	for _, p := range []string{"", "\xff", strings.Repeat("x", maxCursor+1)} {
		calls["save "+p] = func() error { return c.Save(ctx, owner(0), processor.Position(p)) }
	}
	for _, key := range []string{"8", strings.Repeat("8", 33), strings.Repeat("G", 32), strings.Repeat("A", 32)} {
		calls["split at "+key] = func() error { _, err := c.SplitShard(ctx, 0, key); return err }
		calls["put at "+key] = func() error { return c.Put(ctx, []byte("x"), PutOptions{HashKey: key}) }
	}
	calls["split at nothing"] = func() error { _, err := c.SplitShard(ctx, 0, ""); return err }
	calls["put nothing"] = func() error { return c.Put(ctx, nil, PutOptions{}) }
	calls["put odd"] = func() error { return c.Put(ctx, []byte("x"), PutOptions{Compression: "gzip"}) }
	calls["pull odd"] = func() error { _, err := c.Pull(ctx, PullRequest{Cursor: "x", Compression: "gzip"}); return err }
	for what, call := range calls {
		err := call()
		var bad *UsageError
		if !errors.As(err, &bad) || heartbeat.Retryable(err) {
			t.Errorf("%q returned %v, want a *UsageError", bounded(what, 60), err)
		}
	}
	expectLines(t, w)
}

// A checkpoint is asked for one shard; what a server sends of others does not count.
func TestLoad(t *testing.T) {
	for _, c := range []struct {
		body string
		want processor.Position
	}{
		{`[]`, ""},
		{`[{"shard":3,"checkpoint":""}]`, ""},
		{`[{"shard":2,"checkpoint":"other"}]`, ""},
		{`[{"shard":3,"checkpoint":"MTUyNDE1NTM3OTM3MzkwODQ5Ng==","updateTime":1524224984800922,"consumer":"c1"}]`, "MTUyNDE1NTM3OTM3MzkwODQ5Ng=="},
		{`[{"shard":2,"checkpoint":"other"},{"shard":3,"checkpoint":"this <&>\n"},{"shard":4,"checkpoint":""}]`, "this <&>\n"},
	} {
		w := always(200, c.body)
		p, ok, err := newClient(t, config(w)).Load(t.Context(), owner(3))
		if p != c.want || ok != (c.want != "") || err != nil {
			t.Errorf("%s is %q, %v, %v, want %q", c.body, p, ok, err, c.want)
		}
		expectLines(t, w, "GET "+groupURL+"?shard=3")
	}
	cp, ok, err := newClient(t, config(fixed(opGetCheckpoint))).getCheckpoint(t.Context(), 0)
	want := checkpoint{Cursor: "MTUyNDE1NTM3OTM3MzkwODQ5Ng==", Updated: time.UnixMicro(1524224984800922), Consumer: "c1"}
	if !ok || err != nil || cp != want {
		t.Errorf("the checkpoint is %+v (%v, %v), want %+v", cp, ok, err, want)
	}
	// No error is taken for "none".
	for _, code := range []string{"ShardNotExist", "ConsumerGroupNotExist", "ServerBusy"} {
		w := &wire{answer: func(sent) (*http.Response, error) { return refuse(404, code, ""), nil }}
		if _, _, err := newClient(t, config(w)).Load(t.Context(), owner(3)); err == nil {
			t.Errorf("%s is taken for no checkpoint", code)
		}
	}
}

// All shards are listed, with and without a checkpoint.
func TestListCheckpoints(t *testing.T) {
	w := always(200, `[{"shard":0,"checkpoint":"MQ==","updateTime":1524224984800922,"consumer":"c1"},{"shard":7,"checkpoint":"","updateTime":0,"consumer":""}]`)
	got, err := newClient(t, config(w)).ListCheckpoints(t.Context(), "my-logstore")
	want := []processor.Checkpoint{
		{ID: shardset.ID{Log: "my-logstore"}, Position: "MQ==", Updated: time.UnixMicro(1524224984800922)},
		{ID: shardset.ID{Log: "my-logstore", Number: 7}},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("it lists %+v, %v, want %+v", got, err, want)
	}
	expectLines(t, w, "GET "+groupURL)
	var senseless *UsageError
	if _, err := newClient(t, config(w)).ListCheckpoints(t.Context(), "other"); !errors.As(err, &senseless) {
		t.Errorf("another log: %v", err)
	}
	if _, err := newClient(t, config(always(200, `[{}]`))).ListCheckpoints(t.Context(), "my-logstore"); err == nil {
		t.Error("an entry without a shard is taken")
	}
}

// A commit is never forced.
func TestSave(t *testing.T) {
	w := always(200, "{}")
	c := newClient(t, config(w))
	if err := c.Save(t.Context(), owner(3), "a\"b<&>\u2028"); err != nil {
		t.Fatal(err)
	}
	expectLines(t, w, "POST "+groupURL+`?consumer=c1&forceSuccess=false&type=checkpoint {"checkpoint":"a\"b\u003c\u0026\u003e\u2028","shard":3}`)
}

func FuzzAnswers(f *testing.F) {
	for _, s := range []string{
		"[]", "[0,1]", "null", "[null]", shardList, `[{"name":"g","timeout":60,"order":true}]`, `{"cursor":"MTQ="}`, `{"cursor_time":1554260243}`,
		`[{"shard":0,"checkpoint":"MTUy","updateTime":1524224984800922,"consumer":"c1"}]`, "[1.5]", "[[[[", "[0,0,0,0,0,0,0,0,0,0,0]", "[{},{},{},{}]", "[null,null,null]", "[01]", "[+1]", "[-0]", "[1e1]", "[1,]", "[1\v]", `[{"shard":0,"checkpoint":"\ud800"}]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if n := alloctest.Bytes(func() { _, _ = parseNumbers(b) }); n > 8*len(b)+2<<10 {
			t.Errorf("numbers of %d bytes allocate %d", len(b), n)
		}
		if n := alloctest.Bytes(func() {
			_, _ = parseGroups(b, "")
			_, _ = parseShards(b)
			_, _ = parseCheckpoints(b)
			_, _ = parseCursor(b)
			_, _ = parseCursorTime(b)
		}); n > 64*len(b)+32<<10 {
			t.Errorf("answers of %d bytes allocate %d", len(b), n)
		}
		if numbers, err := parseNumbers(b); err == nil {
			for _, n := range numbers {
				if n < 0 || n > maxShard {
					t.Errorf("%q has shard %d", b, n)
				}
			}
			var twin []int
			if err := json.Unmarshal(b, &twin); err != nil || !slices.Equal(numbers, twin) {
				t.Errorf("%q is %v, and %v for encoding/json (%v)", b, numbers, twin, err)
			}
		} else if len(err.Error()) > 200 {
			t.Errorf("the error is long: %v", err)
		}
		if groups, err := parseGroups(b, "my-group"); err == nil {
			for _, g := range groups {
				own := g.Name == "my-group"
				if g.Timeout < time.Second && (own || g.Timeout != 0) || g.Timeout > maxTimeout || g.Name == "" {
					t.Errorf("%q has %v", b, g)
				}
			}
		}
		if shards, err := parseShards(b); err == nil {
			for _, s := range shards {
				if s.Number < 0 || s.Number > maxShard {
					t.Errorf("%q has %+v", b, s)
				}
			}
		}
		if c, ok, err := parseCheckpoint(b, 0); err == nil {
			if c.Shard != 0 || len(c.Cursor) > maxCursor || !ok && c != (checkpoint{}) {
				t.Errorf("%q has %+v, %v", b, c, ok)
			}
		}
		if cursor, err := parseCursor(b); err == nil && !validCursor(cursor) {
			t.Errorf("%q has the cursor %q", b, cursor)
		}
		if at, err := parseCursorTime(b); err == nil && at.IsZero() {
			t.Errorf("%q has no time", b)
		}
	})
}
