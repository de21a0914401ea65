package slsserver

import (
	"strings"
	"testing"
)

// TestHosts: each form of a host selects its project, and none is replaced by the default one.
func TestHosts(t *testing.T) {
	r := newRig(t, Config{Insecure: true, Projects: []Project{
		{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 1}}},
		{Name: "q", Logstores: []Logstore{{Name: "ls", Shards: 3}}},
		{Name: "Mixed", Logstores: []Logstore{{Name: "ls", Shards: 4}}},
	}})
	for _, c := range []struct {
		host, path string
		shards     int // negative: a status
	}{
		// IPv6, as Rollcall's client and others write it.
		{"q.[::1]:8080", "", 3},
		{"q.[::1]", "", 3},
		{"q.::1", "", 3},
		{"Q.[FE80::1%25eth0]:8080", "", 3},
		{"q.[::ffff:127.0.0.1]:80", "", 3},
		{"[::1]:8080", "", 1},
		{"[::1]", "", 1},
		{"::1", "", 1},
		{"[::ffff:127.0.0.1]", "", 1},
		{"[::1]:8080", "/q", 3},
		{"none.[::1]:8080", "", -404},
		{"none.::1", "", -404},
		// Case does not matter in a host.
		{"Q.SLS.TEST", "", 3},
		{"Q.CN-HANGZHOU.LOG.ALIYUNCS.COM:80", "", 3},
		{"MIXED.sls.test", "", 4},
		{"mixed.127.0.0.1", "", 4},
		{"LOCALHOST:8080", "", 1},
		{"Q.LocalHost:8080", "", 3},
		{"NONE.SLS.TEST", "", -404},
		{"sls.test", "/mixed", -404}, // in a path it does
		// The service's newer domain, and final dots.
		{"q.cn-hangzhou.sls.aliyuncs.com", "", 3},
		{"q.cn-hangzhou-intranet.sls.aliyuncs.com:443", "", 3},
		{"q.sls.aliyuncs.com", "", 3},
		{"none.cn-hangzhou.sls.aliyuncs.com", "", -404},
		{"q.sls.test.", "", 3},
		{"127.0.0.1.", "", 1},
		// An endpoint that names no project at all.
		{"sls.test", "", 1},
		{"sls.test", "/q", 3},
		{"builder", "", 1},
		{"cn-hangzhou.log.aliyuncs.com", "/q", 3},
		{"cn-hangzhou.log.aliyuncs.com", "", -404},
		{"none.sls.aliyuncs.com", "", -404},
		// Names of which the server knows nothing.
		{"q.sls.internal:8080", "", 3},
		{"sls.internal:8080", "/q", 3},
		{"q.sls.internal:8080", "/p", 1}, // a machine may be named like a project
		{"q.sls.internal:8080", "/none", -404},
		{"none.sls.internal:8080", "", -404},
		{"none.sls.testing", "", -404},
		{"none.example.com", "/none", -404},
		{"none.999.0.0.1", "", -404},
	} {
		a := r.do("GET", c.path+"/logstores/ls/shards", "", "Host: "+c.host)
		switch {
		case c.shards < 0:
			r.wantCode(a, 404, "ProjectNotExist")
		case a.status != 200 || strings.Count(a.body, "shardID") != c.shards:
			t.Errorf("%s %s: %d %s, want %d shards", c.host, c.path, a.status, a.body, c.shards)
		}
	}
}

// TestOwnSuffix: a suffix of one's own makes its domain the server's.
func TestOwnSuffix(t *testing.T) {
	r := newRig(t, Config{Insecure: true, HostSuffixes: []string{"Sls.Internal"}})
	for host, status := range map[string]int{
		"sls.internal:80": 200, "p.sls.internal": 200, "P.SLS.INTERNAL": 200, "none.sls.internal": 404, "p.sls.test": 200, "sls.test": 404,
	} {
		if a := r.do("GET", "/logstores/ls/shards", "", "Host: "+host); a.status != status {
			t.Errorf("%s: %d %s, want %d", host, a.status, a.body, status)
		}
	}
}

// TestHostsOfProxies: V4 signs the host, to which libraries and proxies add a port or from which they drop one.
func TestHostsOfProxies(t *testing.T) {
	for _, c := range []struct {
		signed, sent string
		ok           bool
	}{
		{vectorHost, vectorHost, true},
		{vectorHost, vectorHost + ":80", true},
		{vectorHost, vectorHost + ":443", true},
		{vectorHost + ":80", vectorHost, true},
		{vectorHost + ":443", vectorHost, true},
		{vectorHost, vectorHost + ":8080", true}, // Python signs no port at all, a proxy's request line has it
		{"my-project.[::1]", "my-project.[::1]:80", true},
		{"my-project.[::1]:80", "my-project.[::1]", true},
		{vectorHost + ":8080", vectorHost, false},
		{vectorHost + ":80", vectorHost + ":443", false},
		{"other.sls.test", vectorHost, false},
		{"my-project.sls.test", vectorHost, false},
	} {
		atVectorTime(t, nil, func(t *testing.T, s *Server) {
			v := request{method: "GET", target: "/logstores/my-logstore/shards"}
			req := sign(v, true, v.target, c.signed)
			req.Host = c.sent
			if a := sendTo(s, req); (a.status == 200) != c.ok || !c.ok && a.code() != "SignatureNotMatch" {
				t.Errorf("%s signed, %s sent: %d %s", c.signed, c.sent, a.status, a.body)
			}
		})
	}
}

// TestPrefixBehindAPort: the two tolerances of V4 together, as with the official Go SDK through a proxy.
func TestPrefixBehindAPort(t *testing.T) {
	atVectorTime(t, nil, func(t *testing.T, s *Server) {
		v := request{method: "GET", target: "/my-project/logstores/my-logstore/shards"}
		req := sign(v, true, "/logstores/my-logstore/shards", "sls.test/my-project")
		req.Host = "sls.test:80"
		if a := sendTo(s, req); a.status != 200 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}
