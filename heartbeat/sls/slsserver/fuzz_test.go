package slsserver

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/alloctest"
	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/zstdframe"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// FuzzBody puts anything in any compression. What is taken is what was sent, and what it
// costs follows from the bytes that came.
func FuzzBody(f *testing.F) {
	var deflated bytes.Buffer
	z := zlib.NewWriter(&deflated)
	_, _ = z.Write(sample)
	_ = z.Close()
	kinds := []string{"", "lz4", "zstd", "deflate", "gzip"}
	for kind, body := range [][]byte{sample, lz4Block(f, sample), zstdframe.Encode(sample), deflated.Bytes()} {
		f.Add(body, uint8(kind), uint32(len(sample)))
		f.Add(body, uint8(kind), uint32(10<<20))
	}
	large := bytes.Repeat(sample, 1000)
	f.Add(lz4Block(f, large), uint8(1), uint32(len(large)))
	f.Add(zstdframe.Encode(large), uint8(2), uint32(len(large)))
	f.Add(unhex("28b52ffd0080000000"), uint8(2), uint32(10<<20))
	s, err := New(Config{RetentionBytes: 1 << 20, Projects: []Project{{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 1}}}}})
	if err != nil {
		f.Fatal(err)
	}
	ls, err := s.findLogstore("p", "ls")
	if err != nil {
		f.Fatal(err)
	}
	sh := ls.shard(0)
	f.Fuzz(func(t *testing.T, body []byte, k uint8, raw uint32) {
		kind := kinds[int(k)%len(kinds)]
		raw %= 12 << 20
		_, before, _ := sh.bounds()
		var a answer
		n := alloctest.Bytes(func() {
			req := httptest.NewRequest("POST", "http://p.sls.test/logstores/ls", bytes.NewReader(body))
			req.Header = http.Header{
				"Content-Type": {"application/x-protobuf"}, "X-Log-Bodyrawsize": {strconv.Itoa(int(raw))}, "X-Log-Compresstype": {kind},
			}
			a = sendTo(s, req)
		})
		most := int(raw)
		if checkSizes(kind, int64(len(body)), int64(raw)) != nil {
			most = 0
		}
		// The pool of buffers may have been emptied, and one is needed twice.
		if n > 3*most+4*len(body)+512<<10 {
			t.Errorf("%d bytes of %q as %d allocate %d: %d %s", len(body), kind, raw, n, a.status, a.body)
		}
		if a.status >= 500 || a.status != 200 && len(a.body) > 1500 || sh.bytes > 1<<20 {
			t.Errorf("%d %s, and %d bytes are kept", a.status, a.body, sh.bytes)
		}
		_, end, _ := sh.bounds()
		if (a.status == 200) != (end > before) {
			t.Errorf("%d: the end was %d and is %d", a.status, before, end)
		}
		if a.status != 200 {
			return
		}
		got, _ := sh.read(end-1, end, 1, 1)
		group, err := got[0].decode(nil)
		if err != nil || len(group) != int(raw) || kind == "" && !bytes.Equal(group, body) {
			t.Errorf("%d bytes are kept, %v", len(group), err)
		}
	})
}

// FuzzStrictJSON compares the two parsers with encoding/json.
func FuzzStrictJSON(f *testing.F) {
	for _, s := range []string{
		`{"consumerGroup":"g","timeout":60,"order":true}`, `{"checkpoint":"MTIz","shard":0}`, `{"a":1,"a":2}`, `{"a":[]}`, `{"a":null} x`, `{"a" 1}`,
		`{"a":1,}`, `[]`, `[0,1]`, ` [ 2147483647 ] `, `[2147483648]`, `[01]`, `[1,]`, `[1e1]`, `[[[[`, `[,]`, "[1\v]", `{"\ud800":1}`, "null",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if n := alloctest.Bytes(func() { _, _ = parseObject(body) }); n > 16*len(body)+64<<10 {
			t.Errorf("an object of %d bytes allocates %d", len(body), n)
		}
		if n := alloctest.Bytes(func() { _, _ = parseIntegers(body) }); n > 8*len(body)+4<<10 {
			t.Errorf("an array of %d bytes allocates %d", len(body), n)
		}
		var twin map[string]any
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber()
		if o, err := parseObject(body); err == nil {
			if err := d.Decode(&twin); err != nil || !json.Valid(body) || len(twin) != len(o) {
				t.Fatalf("%q is %v, and %v for encoding/json (%v)", body, o, twin, err)
			}
			for name, v := range o {
				if _, nested := v.(json.Delim); !nested && twin[name] != v {
					t.Errorf("%q has %v, want %v", name, v, twin[name])
				}
			}
		} else if len(err.Error()) > 1000 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
		ids, err := parseIntegers(body)
		var numbers []int
		twinErr := json.Unmarshal(body, &numbers)
		fine := twinErr == nil && numbers != nil && !bytes.ContainsAny(body, "-nl") && (len(numbers) == 0 || slices.Max(numbers) < 1<<31)
		if fine != (err == nil) || fine && !slices.Equal(ids, numbers) {
			t.Errorf("%q is %v, %v, and %v, %v for encoding/json", body, ids, err, numbers, twinErr)
		}
	})
}

// inProcess carries a client's requests to a server over the bytes of the wire.
type inProcess struct {
	server *Server
	sent   []byte
}

func (p *inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	var b bytes.Buffer
	if err := r.Write(&b); err != nil {
		return nil, err
	}
	p.sent = b.Bytes()
	w, err := p.serve()
	if err != nil {
		return nil, err
	}
	return w.Result(), nil
}

func (p *inProcess) serve() (*httptest.ResponseRecorder, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p.sent)))
	if err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	p.server.ServeHTTP(w, r)
	return w, nil
}

// FuzzSigned has the client of this module sign anything, in both ways, and the server
// verify it: what is signed is accepted, and with another secret it is not.
func FuzzSigned(f *testing.F) {
	f.Add("id", "secret", "", "host a/1+2", "MTIz", "* | where a = 'b'", []byte("group"), false)
	f.Add("STS.id", "s", "token", "\u00e9&=%", "a+/=", "\xff\x00 ~*'()", []byte(nil), true)
	s, err := New(Config{
		RetentionBytes: 1 << 20, Keys: []Key{{ID: "x", Secret: heartbeat.NewSecret("x")}},
		Projects: []Project{{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 1}}}},
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, id, secret, token, member, cursor, query string, body []byte, v4 bool) {
		// What a header cannot carry is not signed here.
		for _, s := range []string{id, token} {
			if strings.ContainsAny(s, ",/:") || strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0 {
				return
			}
		}
		wire := &inProcess{server: s}
		cfg := sls.Config{
			Endpoint: "http://127.0.0.1:8080", Project: "p", Logstore: "ls", Group: "g", Transport: wire,
			Credentials: sls.Static(id, secret, token),
		}
		if v4 {
			cfg.Signature, cfg.Region = sls.V4, "cn-hangzhou"
		}
		c, err := sls.New(cfg)
		if err != nil {
			return
		}
		ctx := t.Context()
		beat := shardset.Heartbeat{Member: member, Held: []shardset.Grant{{ID: shardset.ID{Log: "ls"}}, {ID: shardset.ID{Log: "ls", Number: 1}}}}
		owner := processor.Owner{Member: member, Lease: shardset.Lease{ID: shardset.ID{Log: "ls"}}}
		calls := map[string]func() error{
			"heartbeat":  func() error { _, err := c.Beat(ctx, beat); return err },
			"pull":       func() error { _, err := c.Pull(ctx, sls.PullRequest{Cursor: cursor, Query: query}); return err },
			"processor":  func() error { _, err := c.Pull(ctx, sls.PullRequest{Cursor: cursor, Processor: query}); return err },
			"checkpoint": func() error { return c.Save(ctx, owner, processor.Position(cursor)) },
			"put":        func() error { return c.Put(ctx, body, sls.PutOptions{Compression: sls.Zstd}) },
			"shards":     func() error { _, err := c.ListShards(ctx); return err },
		}
		for _, right := range []bool{true, false} {
			key := Key{ID: id, Secret: heartbeat.NewSecret(secret), Token: heartbeat.NewSecret(token)}
			if !right {
				key.Secret = heartbeat.NewSecret(secret + "x")
			}
			if err := s.SetKeys([]Key{key}); err != nil {
				return
			}
			for name, call := range calls {
				err := call()
				var usage *sls.UsageError
				if errors.As(err, &usage) || len(wire.sent) == 0 {
					continue
				}
				if refused := errors.Is(err, heartbeat.ErrUnauthorized); refused == right && !tooLong(err) {
					t.Errorf("%s, the right secret: %v: %v", name, right, err)
				}
				n := alloctest.Bytes(func() { _, _ = wire.serve() })
				if n > 8*len(wire.sent)+512<<10 {
					t.Errorf("%s: a request of %d bytes allocates %d", name, len(wire.sent), n)
				}
			}
		}
	})
}

// tooLong reports whether the server refused a request for its length, which it does
// before it looks at the signature.
func tooLong(err error) bool {
	var e *sls.Error
	return errors.As(err, &e) && e.Code == "ParameterInvalid" && strings.Contains(e.Message, "more than")
}
