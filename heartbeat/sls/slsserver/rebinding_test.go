package slsserver

import (
	"net/http"
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// TestForeignHosts: a page whose name was pointed at this machine reads nothing and
// writes nothing, and clients that name a project are served.
func TestForeignHosts(t *testing.T) {
	own := []string{
		"127.0.0.1:8080", "127.9.9.9", "localhost", "LOCALHOST:80", "localhost.", "[::1]:8080", "[::1]", "p.127.0.0.1:8080", "p.127.0.0.1",
		"p.[::1]:8080", "p.localhost:8080", "p.sls.test", "P.SLS.TEST:80", "p.cn-hangzhou.log.aliyuncs.com", "[::ffff:127.0.0.1]:80",
	}
	foreign := []string{
		"", "evil.example", "evil.example:8080", "p.evil.example", "10.0.0.1", "p.10.0.0.1:8080", "128.0.0.1", "[::2]:80", "0.0.0.0:8080", "[::]:80",
		"127.0.0.1.evil.example", "localhost.evil.example", "evillocalhost", "sls.test.evil.example", "evilsls.test", "[::1].evil.example",
		"[::1]:80.evil.example", "2130706433", "127.1",
	}
	open := newRig(t, Config{})
	insecure := newRig(t, Config{Insecure: true})
	named := newRig(t, Config{HostSuffixes: []string{"logs.Example"}})
	for _, method := range []string{"GET", "POST"} {
		target, body := "/p/logstores/ls/shards", ""
		if method == "POST" {
			target, body = "/p/logstores/ls/consumergroups", `{"consumerGroup":"g","timeout":60}`
		}
		for _, host := range foreign {
			if a := open.do(method, target, body, "Host: "+host, "Content-Type: application/json"); a.status != 403 || a.code() != "Unauthorized" {
				t.Errorf("%s %q: %d %s", method, host, a.status, a.body)
			}
			if a := insecure.do(method, target, body, "Host: "+host, "Content-Type: application/json"); a.status == 403 {
				t.Errorf("insecure, %s %q: %s", method, host, a.body)
			}
		}
		for _, host := range own {
			if a := open.do(method, target, body, "Host: "+host, "Content-Type: application/json"); a.status == 403 {
				t.Errorf("%s %q: %s", method, host, a.body)
			}
		}
		for host, want := range map[string]bool{"p.logs.example": true, "logs.example:80": true, "p.sls.test": false, "p.127.0.0.1": true} {
			if a := named.do(method, target, body, "Host: "+host, "Content-Type: application/json"); a.status != 403 != want {
				t.Errorf("%s %q: %d %s", method, host, a.status, a.body)
			}
		}
	}
	// With keys, a signature is worth more than a name.
	keys := newRig(t, Config{Keys: []Key{{ID: "a", Secret: heartbeat.NewSecret("b")}}})
	keys.wantCode(keys.do("GET", "/p/logstores/ls/shards", "", "Host: evil.example"), http.StatusUnauthorized, "Unauthorized")
}
