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

// The official SDKs read the region from the same names, and choose V4 in the same ones.
func TestRegionOfTheEndpoint(t *testing.T) {
	for _, c := range []struct {
		endpoint, project, want string
		signature               Signature
	}{
		{"cn-hangzhou.log.aliyuncs.com", "p", "cn-hangzhou", V1},
		{"https://CN-Hangzhou.log.aliyuncs.com:443/", "P", "cn-hangzhou", V1},
		{"http://cn-hangzhou-intranet.log.aliyuncs.com", "p", "cn-hangzhou", V1},
		{"cn-hangzhou-internal.log.aliyuncs.com", "p", "cn-hangzhou", V1},
		{"cn-hangzhou-share.log.aliyuncs.com", "p", "cn-hangzhou", V1},
		{"ap-southeast-1-vpc.sls.aliyuncs.com", "p", "ap-southeast-1", V1},
		{"cn-shanghai-corp-share.sls.aliyuncs.com", "p", "cn-shanghai-corp", V1},
		{"p.cn-hangzhou.log.aliyuncs.com", "", "cn-hangzhou", V1},
		{"cn-hangzhou.log.aliyuncs.com", "", "cn-hangzhou", V1},
		{"cn-qingdao-acdr-ut-1-intranet.log.aliyuncs.com", "p", "cn-qingdao-acdr-ut-1", V4},
		{"cn-hangzhou-acdr-ut-3.sls.aliyuncs.com", "p", "cn-hangzhou-acdr-ut-3", V4},
		{"cn-heyuan-acdr-1.log.aliyuncs.com", "p", "cn-heyuan-acdr-1", V1},
		{"log-global.aliyuncs.com", "p", "", V1},
		{"sls.aliyuncs.com", "my-project", "", V1},
		{"cn-hangzhou.oss.aliyuncs.com", "p", "", V1},
		{"cn-hangzhou.log.aliyuncs.com.example.com", "p", "", V1},
		{"127.0.0.1:10010", "p", "", V1},
		{"[::1]:10010", "p", "", V1},
	} {
		cfg := Config{Endpoint: c.endpoint, Project: c.project, Logstore: "l", AllowInsecure: true}
		got := newClient(t, cfg).cfg
		if got.Region != c.want || got.Signature != c.signature {
			t.Errorf("endpoint %q is in the region %q and signed with %v, want %q and %v", c.endpoint, got.Region, got.Signature, c.want, c.signature)
		}
		cfg.Signature = V4
		if _, err := New(cfg); (err == nil) != (c.want != "") {
			t.Errorf("endpoint %q with V4: %v", c.endpoint, err)
		}
		cfg.Region, cfg.Signature = "eu-central-1", V1
		if got := newClient(t, cfg).cfg; got.Region != "eu-central-1" || got.Signature != V1 {
			t.Errorf("endpoint %q: what is set became %q and %v", c.endpoint, got.Region, got.Signature)
		}
	}
	for _, cfg := range []Config{
		{Endpoint: "sls.example.com", Region: "cn-hangzhou-acdr-ut-1"},
		{Endpoint: "cn-hangzhou-acdr-ut-1.log.aliyuncs.com", Region: "cn-hangzhou"},
	} {
		cfg.Logstore = "l"
		if got := newClient(t, cfg).cfg; got.Signature != V4 {
			t.Errorf("%s in the region %q signs with %v", cfg.Endpoint, got.Region, got.Signature)
		}
	}
}
