package slsserver

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// watched is a body that knows how much of it was read.
type watched struct {
	io.Reader
	read int
}

func (b *watched) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read += n
	return n, err
}

func (b *watched) Close() error { return nil }

// TestBodiesThatAreNotRead: what the headers refuse costs no body.
func TestBodiesThatAreNotRead(t *testing.T) {
	put := func(v4 bool, change func(*http.Request)) (*http.Request, *watched) {
		v := request{
			method: "POST", target: "/logstores/my-logstore/shards/lb", body: string(sample), contentType: "application/x-protobuf",
			headers: []string{"x-log-bodyrawsize: 59"},
		}
		req := sign(v, v4, "/logstores/my-logstore/shards/lb", vectorHost)
		b := &watched{Reader: strings.NewReader(v.body)}
		req.Body = b
		change(req)
		return req, b
	}
	token := func(c *Config) {
		c.Keys = append(c.Keys, Key{ID: "t", Secret: heartbeat.NewSecret("t"), Token: heartbeat.NewSecret("t")})
	}
	atVectorTime(t, token, func(t *testing.T, s *Server) {
		for _, v4 := range []bool{false, true} {
			for _, c := range []struct {
				name   string
				change func(*http.Request)
				code   string
				read   int
			}{
				{"right", func(*http.Request) {}, "", 59},
				{"unsigned", func(r *http.Request) { r.Header.Del("Authorization") }, "Unauthorized", 0},
				{"unknown", func(r *http.Request) {
					r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), vectorID, "nobody", 1))
				}, "Unauthorized", 0},
				{"another signature", flipSignature, "SignatureNotMatch", 0},
				{"a token", func(r *http.Request) { r.Header.Set("x-acs-security-token", "x") }, "SignatureNotMatch", 0},
				{"too large", func(r *http.Request) { r.ContentLength = 1 << 40 }, "PostBodyTooLarge", 0},
				{"no such operation", func(r *http.Request) { r.URL.Path = "/logstores/my-logstore/nothing" }, "InvalidMethod", 0},
				{"another body", func(r *http.Request) { r.Body.(*watched).Reader = strings.NewReader(strings.Repeat("x", 59)) }, "SignatureNotMatch", 59},
			} {
				req, b := put(v4, c.change)
				a := sendTo(s, req)
				if c.code == "" && a.status != 200 || c.code != "" && a.code() != c.code || b.read != c.read {
					t.Errorf("V4 %v, %s: %d %s, %d bytes were read, want %d", v4, c.name, a.status, a.body, b.read, c.read)
				}
				if closes := a.header.Get("Connection") == "close"; closes != (c.read == 0) {
					t.Errorf("V4 %v, %s: the connection is closed: %v", v4, c.name, closes)
				}
			}
		}
	})
}

// TestUnknownKeyIsAnsweredAtOnce: on a real connection the refusal does not wait for the
// body, and asks for none.
func TestUnknownKeyIsAnsweredAtOnce(t *testing.T) {
	r := newRig(t, Config{Keys: []Key{{ID: "a", Secret: heartbeat.NewSecret("b")}}})
	addr := r.listen()
	for _, expect := range []string{"", "Expect: 100-continue\n"} {
		w := dial(t, addr)
		a := w.send("POST /logstores/ls HTTP/1.1\nHost: p.sls.test\nContent-Type: application/x-protobuf\nContent-Length: 1000000\n" +
			"x-log-apiversion: 0.6.0\nx-log-signaturemethod: hmac-sha1\nx-log-bodyrawsize: 59\nAuthorization: LOG nobody:AAAA\n" +
			"Date: " + time.Now().UTC().Format(http.TimeFormat) + "\n" + expect + "\n")
		if a.status != 401 || a.code() != "Unauthorized" {
			t.Errorf("%q: %d %s", expect, a.status, a.body)
		}
		if _, err := w.r.ReadByte(); err != io.EOF {
			t.Errorf("%q: the connection goes on: %v", expect, err)
		}
	}
}
