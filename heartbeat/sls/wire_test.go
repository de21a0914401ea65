package sls

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden renders a request with all that counts, in a fixed order.
func golden(s sent) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\nHost: %s\n", s.Method, s.URL, s.Host)
	var names []string
	for name := range s.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, "%s: %s\n", name, strings.Join(s.Header[name], " | "))
	}
	switch {
	case s.Header.Get(headerContentType) == typeProtobuf:
		fmt.Fprintf(&b, "\n%x\n", s.body)
	case len(s.body) > 0:
		fmt.Fprintf(&b, "\n%s\n", s.body)
	}
	return b.String()
}

// Each operation sends exactly what its file says, signed in both ways. In the bubble
// the clock stands at its start, so the signatures are always the same.
func TestWire(t *testing.T) {
	for op := range answers {
		t.Run(op, func(t *testing.T) {
			var got string
			for _, s := range []Signature{V1, V4} {
				synctest.Test(t, func(t *testing.T) {
					w := fixed(op)
					cfg := config(w)
					cfg.Signature, cfg.Region = s, "cn-hangzhou"
					cfg.Credentials = Static(mockID, mockSecret, "STS.token")
					if err := operations(newClient(t, cfg))[op](t.Context()); err != nil {
						t.Fatal(err)
					}
					if len(w.sent) != 1 {
						t.Fatalf("it sent %d requests, want 1", len(w.sent))
					}
					got += "== " + strings.ToUpper(string(s)) + "\n" + golden(w.sent[0])
					if err := w.closed(); err != nil {
						t.Error(err)
					}
				})
			}
			file := filepath.Join("testdata", "wire", strings.ReplaceAll(op, " ", "-")+".txt")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("it sends\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// What is optional in a request.
func TestWireOptions(t *testing.T) {
	page := func(s sent) (*http.Response, error) { return answers[opPull](), nil }
	for _, c := range []struct {
		name string
		call func(context.Context, *Client) error
		want string
	}{
		{"pull with all", func(ctx context.Context, c *Client) error {
			_, err := c.Pull(ctx, PullRequest{
				Shard: 3, Cursor: "a+/=", EndCursor: "b==", Count: 7, Query: "* | where a > 1", Processor: "p-1", Compression: Zstd,
			})
			return err
		}, "GET /logstores/my-logstore/shards/3?count=7&cursor=a%2B%2F%3D&end_cursor=b%3D%3D&processor=p-1" +
			"&pullMode=scan_on_stream&query=%2A+%7C+where+a+%3E+1&type=logs"},
		{"cursor at a time", func(ctx context.Context, c *Client) error {
			_, _ = c.Cursor(ctx, 3, At(time.Unix(1554260243, 999_999_999)))
			return nil
		}, "GET /logstores/my-logstore/shards/3?from=1554260243&type=cursor"},
		{"cursor at the end", func(ctx context.Context, c *Client) error {
			_, _ = c.Cursor(ctx, 3, End)
			return nil
		}, "GET /logstores/my-logstore/shards/3?from=end&type=cursor"},
		{"put by key", func(ctx context.Context, c *Client) error {
			_ = c.Put(ctx, []byte("x"), PutOptions{HashKey: "0123456789abcdef0123456789abcdef", Compression: None})
			return nil
		}, "POST /logstores/my-logstore/shards/route?key=0123456789abcdef0123456789abcdef x"},
		{"heartbeat that holds nothing", func(ctx context.Context, c *Client) error {
			_, _ = c.heartbeat(ctx, "host a/1+2", nil)
			return nil
		}, "POST " + groupURL + "?consumer=host+a%2F1%2B2&type=heartbeat []"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &wire{answer: page}
			if err := c.call(t.Context(), newClient(t, config(w))); err != nil {
				t.Fatal(err)
			}
			expectLines(t, w, c.want)
		})
	}
}

func TestPullAsksForItsCompression(t *testing.T) {
	for c, want := range map[Compression]string{"": "lz4", LZ4: "lz4", Zstd: "zstd", None: "identity"} {
		w := fixed(opPull)
		if _, err := newClient(t, config(w)).Pull(t.Context(), PullRequest{Cursor: "x", Compression: c}); err != nil {
			t.Fatal(err)
		}
		if got := w.sent[0].Header.Get(headerAcceptEncoding); got != want {
			t.Errorf("%v asks for %q, want %q", c, got, want)
		}
	}
}

func TestUserAgent(t *testing.T) {
	for _, c := range []struct{ group, member, want string }{
		{"g", "m", "g_m"}, {"g", "", "g"}, {"", "", "rollcall"}, {"", "m", "_m"},
	} {
		w := fixed(opListShards)
		cfg := config(w)
		cfg.Group, cfg.Member = c.group, c.member
		if _, err := newClient(t, cfg).ListShards(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := w.sent[0].Header.Get(headerUserAgent); got != c.want {
			t.Errorf("group %q and member %q call themselves %q, want %q", c.group, c.member, got, c.want)
		}
	}
}

// Without credentials there is no signature, and nothing that belongs to one.
func TestAnonymous(t *testing.T) {
	w := fixed(opUpdateCheckpoint)
	cfg := config(w)
	cfg.Credentials = nil
	if err := operations(newClient(t, cfg))[opUpdateCheckpoint](t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{headerAuthorization, headerContentMD5, headerSignatureMethod, headerSecurityToken, headerLogDate} {
		if v, ok := w.sent[0].Header[name]; ok {
			t.Errorf("an anonymous request has the header %s: %q", name, v)
		}
	}
	if w.sent[0].Header.Get(headerDate) == "" || w.sent[0].Header.Get(headerAPIVersion) != apiVersion {
		t.Errorf("an anonymous request has the headers %v", w.sent[0].Header)
	}
}
