package slsserver

import (
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// build makes the request, signed or with the signature that the vector has.
func (v request) build(v4 bool) *http.Request {
	req := httptest.NewRequest(v.method, "http://"+vectorHost+v.target, strings.NewReader(v.body))
	h := req.Header
	h.Set("x-log-apiversion", "0.6.0")
	h.Set("x-log-bodyrawsize", "0")
	if v.contentType != "" {
		h.Set("Content-Type", v.contentType)
	}
	if v4 {
		h.Set("x-log-date", "20261123T093000Z")
		h.Set("Authorization", v4Algorithm+" Credential="+vectorID+"/20261123/cn-hangzhou/sls/aliyun_v4_request,Signature="+v.signature)
	} else {
		h.Set("Date", v1Date)
		h.Set("x-log-signaturemethod", "hmac-sha1")
		h.Set("Authorization", "LOG "+vectorID+":"+v.signature)
	}
	for _, line := range v.headers {
		name, value, _ := strings.Cut(line, ": ")
		h.Set(name, value)
	}
	return req
}

// atVectorTime runs f in a bubble whose clock shows the vectors' time, with a server that
// knows the vectors' key.
func atVectorTime(t *testing.T, change func(*Config), f func(t *testing.T, s *Server)) {
	synctest.Test(t, func(t *testing.T) {
		at, _ := time.Parse(http.TimeFormat, v1Date)
		time.Sleep(time.Until(at))
		cfg := Config{
			Projects: []Project{{Name: "my-project", Logstores: []Logstore{{Name: "my-logstore"}}}},
			Keys:     []Key{{ID: vectorID, Secret: heartbeat.NewSecret(vectorSecret)}},
		}
		if change != nil {
			change(&cfg)
		}
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		f(t, s)
	})
}

func sendTo(s *Server, req *http.Request) answer {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, req)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// accepted says whether a request got past the verification.
func accepted(a answer) bool { return a.status != 401 && a.code() != "RequestTimeExpired" }

func TestVectorsAreAccepted(t *testing.T) {
	for _, v4 := range []bool{false, true} {
		vectors := v1Vectors
		if v4 {
			vectors = v4Vectors
		}
		for _, v := range vectors {
			token := func(c *Config) {
				if strings.Contains(strings.Join(v.headers, "\n"), "STS.token") {
					c.Keys[0].Token = heartbeat.NewSecret("STS.token")
				}
			}
			atVectorTime(t, token, func(t *testing.T, s *Server) {
				if a := sendTo(s, v.build(v4)); !accepted(a) {
					t.Errorf("%s: %d %s", v.name, a.status, a.body)
				}
			})
		}
	}
}

// TestVectorsAreNeeded changes each signed part of each vector.
func TestVectorsAreNeeded(t *testing.T) {
	for _, v4 := range []bool{false, true} {
		vectors := v1Vectors
		if v4 {
			vectors = v4Vectors
		}
		for _, v := range vectors {
			token := func(c *Config) {
				if strings.Contains(strings.Join(v.headers, "\n"), "STS.token") {
					c.Keys[0].Token = heartbeat.NewSecret("STS.token")
				}
			}
			atVectorTime(t, token, func(t *testing.T, s *Server) {
				for name, change := range map[string]func(*http.Request){
					"path":      func(r *http.Request) { r.URL.Path = strings.Replace(r.URL.Path, "my-l", "My-l", 1) },
					"method":    func(r *http.Request) { r.Method = map[string]string{"GET": "POST", "POST": "GET"}[r.Method] },
					"query":     func(r *http.Request) { r.URL.RawQuery += "&extra=1" },
					"signature": func(r *http.Request) { flipSignature(r) },
					"header":    func(r *http.Request) { r.Header.Set("x-log-extra", "1") },
					"empty":     func(r *http.Request) { emptySignature(r) },
					"size":      func(r *http.Request) { r.Header.Set("x-log-bodyrawsize", "61") },
				} {
					req := v.build(v4)
					change(req)
					if a := sendTo(s, req); a.status == 200 || accepted(a) && a.status != 405 && a.code() != "ParameterInvalid" {
						t.Errorf("%s with another %s: %d %s", v.name, name, a.status, a.body)
					}
				}
				if v.body == "" {
					return
				}
				changed := v
				changed.body = strings.Replace(v.body, v.body[:1], " ", 1)
				if a := sendTo(s, changed.build(v4)); accepted(a) {
					t.Errorf("%s with another body: %d %s", v.name, a.status, a.body)
				}
			})
		}
	}
}

func flipSignature(r *http.Request) {
	auth := []byte(r.Header.Get("Authorization"))
	i := len(auth) - 5
	if auth[i] == 'a' {
		auth[i] = 'b'
	} else {
		auth[i] = 'a'
	}
	r.Header.Set("Authorization", string(auth))
}

func emptySignature(r *http.Request) {
	auth := r.Header.Get("Authorization")
	auth = auth[:strings.LastIndexAny(strings.TrimRight(auth, "="), ":=")+1]
	r.Header.Set("Authorization", auth)
}

// sign is a client's side, for requests that no vector has: it signs the path and the host
// that it gets.
func sign(v request, v4 bool, path, host string) *http.Request {
	req := v.build(v4)
	h := req.Header
	if v4 {
		h.Set("x-log-content-sha256", sha256Hex(v.body))
		cl, _ := readV4(h, strings.TrimPrefix(h.Get("Authorization"), v4Algorithm+" "))
		canonical := canonicalV4(v.method, path, host, h.Get("x-log-content-sha256"), req.URL.Query(), h)
		h.Set("Authorization", v4Algorithm+" Credential="+vectorID+"/20261123/cn-hangzhou/sls/aliyun_v4_request,Signature="+
			hex.EncodeToString(signV4(vectorSecret, cl, canonical)))
		return req
	}
	if v.body != "" {
		h.Set("Content-MD5", strings.ToUpper(md5Hex([]byte(v.body))))
	}
	h.Set("Authorization", "LOG "+vectorID+":"+hmacSHA1(vectorSecret, stringToSignV1(v.method, path, v1Date, req.URL.Query(), h, false)))
	return req
}

// TestPrefixedPaths verifies what the official Go SDK signs when its endpoint has a path.
func TestPrefixedPaths(t *testing.T) {
	atVectorTime(t, nil, func(t *testing.T, s *Server) {
		for _, v4 := range []bool{false, true} {
			for _, prefix := range []string{"/my-project", "/"} {
				v := request{method: "GET", target: prefix + "/logstores/my-logstore/shards"}
				host := "127.0.0.1:8080"
				req := sign(v, v4, "/logstores/my-logstore/shards", host+prefix)
				req.Host = host
				if a := sendTo(s, req); a.status != 200 {
					t.Errorf("V4 %v, prefix %s: %d %s", v4, prefix, a.status, a.body)
				}
				req = sign(v, v4, "/my-project/logstores/other/shards", host+prefix)
				req.Host = host
				if a := sendTo(s, req); a.code() != "SignatureNotMatch" {
					t.Errorf("V4 %v, prefix %s, a wrong path: %d %s", v4, prefix, a.status, a.body)
				}
			}
		}
	})
}

// TestLogDateInV1 has Python's habit: x-log-date stands in for Date and is not signed
// as a header.
func TestLogDateInV1(t *testing.T) {
	atVectorTime(t, nil, func(t *testing.T, s *Server) {
		req := v1Vectors[0].build(false)
		req.Header.Set("x-log-date", v1Date)
		req.Header.Del("Date")
		if a := sendTo(s, req); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
		req.Header.Set("x-log-date", "Mon, 23 Nov 2026 09:30:01 GMT")
		if a := sendTo(s, req); a.code() != "SignatureNotMatch" {
			t.Errorf("with another date: %d %s", a.status, a.body)
		}
	})
}

func TestRefusals(t *testing.T) {
	set := func(name, value string) func(*http.Request) {
		return func(r *http.Request) {
			if value == "" {
				r.Header.Del(name)
			} else {
				r.Header.Set(name, value)
			}
		}
	}
	atVectorTime(t, nil, func(t *testing.T, s *Server) {
		for _, c := range []struct {
			name   string
			v4     bool
			change func(*http.Request)
			status int
			code   string
		}{
			{"unsigned", false, set("Authorization", ""), 401, "Unauthorized"},
			{"another kind", false, set("Authorization", "Basic abc"), 401, "Unauthorized"},
			{"no key", false, set("Authorization", "LOG nothing"), 400, "MissAccessKeyId"},
			{"no version", false, set("x-log-apiversion", ""), 400, "MissingAPIVersion"},
			{"another version", true, set("x-log-apiversion", "0.5.0"), 400, "InvalidAPIVersion"},
			{"no method", false, set("x-log-signaturemethod", ""), 400, "MissingSignatureMethod"},
			{"another method", false, set("x-log-signaturemethod", "hmac-md5"), 400, "InvalidSignatureMethod"},
			{"no date", false, set("Date", ""), 400, "MissingDate"},
			{"no V4 date", true, set("x-log-date", ""), 400, "MissingDate"},
			{"a bad date", false, set("Date", "yesterday"), 400, "InvalidDateFormat"},
			{"a bad V4 date", true, set("x-log-date", "2026-11-23"), 400, "InvalidDateFormat"},
			{"another day", true, set("x-log-date", "20261122T093000Z"), 400, "InvalidDateFormat"},
			{"early", false, set("Date", "Mon, 23 Nov 2026 09:14:59 GMT"), 400, "RequestTimeExpired"},
			{"late", true, set("x-log-date", "20261123T094501Z"), 400, "RequestTimeExpired"},
			{"unknown key", false, set("Authorization", "LOG nobody:"+v1Vectors[0].signature), 401, "Unauthorized"},
			{"a token", false, set("x-acs-security-token", "t"), 401, "SignatureNotMatch"},
			{"half", true, set("Authorization", v4Algorithm+" Credential=a/b"), 401, "Unauthorized"},
			{"twice", false, func(r *http.Request) { r.Header.Add("x-log-bodyrawsize", "0") }, 400, "ParameterInvalid"},
		} {
			v := v1Vectors[0]
			if c.v4 {
				v = v4Vectors[0]
			}
			req := v.build(c.v4)
			c.change(req)
			if a := sendTo(s, req); a.status != c.status || a.code() != c.code {
				t.Errorf("%s: %d %s, want %d %s", c.name, a.status, a.body, c.status, c.code)
			}
		}
	})
}
