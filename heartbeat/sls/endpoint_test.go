package sls

import (
	"strings"
	"testing"
)

func TestEndpoint(t *testing.T) {
	for _, c := range []struct {
		endpoint, project string
		want              endpoint
	}{
		{"cn-hangzhou.log.aliyuncs.com", "p", endpoint{"https", "p.cn-hangzhou.log.aliyuncs.com", "p.cn-hangzhou.log.aliyuncs.com", false}},
		{"cn-hangzhou.log.aliyuncs.com", "", endpoint{"https", "cn-hangzhou.log.aliyuncs.com", "cn-hangzhou.log.aliyuncs.com", false}},
		{"http://cn-hangzhou-intranet.log.aliyuncs.com", "p", endpoint{"http", "p.cn-hangzhou-intranet.log.aliyuncs.com", "p.cn-hangzhou-intranet.log.aliyuncs.com", false}},
		{"HTTPS://CN-Hangzhou.log.aliyuncs.com/", "p", endpoint{"https", "p.cn-hangzhou.log.aliyuncs.com", "p.cn-hangzhou.log.aliyuncs.com", false}},
		{"sls.test:8443", "p", endpoint{"https", "p.sls.test:8443", "p.sls.test:8443", false}},
		{"http://127.0.0.1:8080", "p", endpoint{"http", "127.0.0.1:8080", "p.127.0.0.1:8080", true}},
		{"127.0.0.1:8080", "p", endpoint{"http", "127.0.0.1:8080", "p.127.0.0.1:8080", true}},
		{"https://127.0.0.1:8080", "p", endpoint{"https", "127.0.0.1:8080", "p.127.0.0.1:8080", true}},
		{"http://127.8.9.1:8080", "", endpoint{"http", "127.8.9.1:8080", "127.8.9.1:8080", true}},
		{"http://[::1]:8080", "p", endpoint{"http", "[::1]:8080", "p.[::1]:8080", true}},
		{"[::1]", "", endpoint{"http", "[::1]", "[::1]", true}},
		{"localhost:8080", "p", endpoint{"http", "localhost:8080", "p.localhost:8080", true}},
		{"http://LocalHost:8080/", "p", endpoint{"http", "localhost:8080", "p.localhost:8080", true}},
		{"10.1.2.3:8080", "p", endpoint{"https", "10.1.2.3:8080", "p.10.1.2.3:8080", false}},
		{"[fd00::1]:8080", "p", endpoint{"https", "[fd00::1]:8080", "p.[fd00::1]:8080", false}},
		{"localhost.example.com", "p", endpoint{"https", "p.localhost.example.com", "p.localhost.example.com", false}},
	} {
		got, err := parseEndpoint(c.endpoint, c.project)
		if err != nil || got != c.want {
			t.Errorf("endpoint %q of project %q is %+v (%v), want %+v", c.endpoint, c.project, got, err, c.want)
		}
	}
}

func TestBadEndpoint(t *testing.T) {
	for _, s := range []string{
		"", "http://", "https://", "ftp://a.b", "://a.b", "a.b/c", "http://a.b/logs", "http://a.b//", "a.b?x=y", "a.b#c", "a%2eb",
		"user:canary@a.b", "http://user:canary@127.0.0.1:80", "canary@a.b", "a b.c", "a\r\nb.c", "a\x00b", "a..b", ".a.b", "a.b.",
		"-a.b", "a_b.c", "a.b:", "a.b:0", "a.b:65536", "a.b:080", "a.b:x", "::1", "[::1", "[::1]x", "[::1%25lo]:80", "[127.0.0.1]:80",
		"[a.b]:80", "http://http://a.b", `a\b`, strings.Repeat("a.", 130) + "b", strings.Repeat("a", 64) + ".b", "münchen.de",
	} {
		ep, err := parseEndpoint(s, "p")
		if err == nil {
			t.Errorf("endpoint %q is taken, as %+v", s, ep)
		} else if strings.Contains(err.Error(), "canary") {
			t.Errorf("endpoint %q: the error shows a password: %v", s, err)
		}
	}
}

func FuzzEndpoint(f *testing.F) {
	for _, s := range []string{"cn-hangzhou.log.aliyuncs.com", "http://127.0.0.1:80", "[::1]:8080", "localhost", "user@a.b", "a.b:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ep, err := parseEndpoint(s, "p")
		if err != nil {
			return
		}
		if ep.scheme != "http" && ep.scheme != "https" || strings.ContainsAny(ep.dial+ep.host, "/@?#% \r\n\t\\") {
			t.Errorf("endpoint %q is taken as %+v", s, ep)
		}
		again, err := parseEndpoint(ep.scheme+"://"+strings.TrimPrefix(ep.host, "p."), "p")
		if err != nil || again != ep {
			t.Errorf("endpoint %q is %+v, and that is %+v (%v)", s, ep, again, err)
		}
	})
}
