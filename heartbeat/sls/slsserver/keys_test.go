package slsserver

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

func TestTokens(t *testing.T) {
	signed := func(token string) *http.Request {
		v := request{method: "GET", target: "/logstores/my-logstore/shards"}
		if token != "" {
			v.headers = []string{"x-acs-security-token: " + token}
		}
		return sign(v, false, "/logstores/my-logstore/shards", "")
	}
	for _, c := range []struct {
		name, token string
		key         Key
		status      int
		code        string
	}{
		{"right", "tok", Key{Token: heartbeat.NewSecret("tok")}, 200, ""},
		{"none sent", "", Key{Token: heartbeat.NewSecret("tok")}, 401, "Unauthorized"},
		{"wrong", "tik", Key{Token: heartbeat.NewSecret("tok")}, 401, "Unauthorized"},
		{"none wanted", "tok", Key{}, 401, "Unauthorized"},
		{"expired", "tok", Key{Token: heartbeat.NewSecret("tok"), Expires: time.Unix(1, 0)}, 401, "SecurityTokenExpired"},
		{"its project", "", Key{Projects: []string{"my-project"}}, 200, ""},
		{"another's project", "", Key{Projects: []string{"other"}}, 401, "Unauthorized"},
	} {
		key := func(cfg *Config) {
			c.key.ID, c.key.Secret = vectorID, heartbeat.NewSecret(vectorSecret)
			cfg.Keys = []Key{c.key}
		}
		atVectorTime(t, key, func(t *testing.T, s *Server) {
			a := sendTo(s, signed(c.token))
			if a.status != c.status || c.status != 200 && a.code() != c.code {
				t.Errorf("%s: %d %s, want %d %s", c.name, a.status, a.body, c.status, c.code)
			}
		})
	}
}

func TestUnsignedPayload(t *testing.T) {
	v := v4Vectors[0]
	v.method, v.body, v.contentType = "POST", "[]", "application/json"
	v.target = "/logstores/my-logstore/consumergroups/g?consumer=c&type=heartbeat"
	for _, allowed := range []bool{false, true} {
		atVectorTime(t, func(c *Config) { c.UnsignedPayload = allowed }, func(t *testing.T, s *Server) {
			empty := v
			empty.body = ""
			req := sign(empty, true, "/logstores/my-logstore/consumergroups/g", vectorHost)
			full := v.build(true)
			full.Header = req.Header
			if a := sendTo(s, full); accepted(a) != allowed {
				t.Errorf("allowed %v: %d %s", allowed, a.status, a.body)
			}
		})
	}
}

func TestSetKeys(t *testing.T) {
	atVectorTime(t, nil, func(t *testing.T, s *Server) {
		if err := s.SetKeys(nil); err == nil {
			t.Error("no keys at all were taken")
		}
		if err := s.SetKeys([]Key{{ID: vectorID, Secret: heartbeat.NewSecret("new")}}); err != nil {
			t.Fatal(err)
		}
		if a := sendTo(s, v1Vectors[0].build(false)); a.code() != "SignatureNotMatch" {
			t.Errorf("the old secret still works: %d %s", a.status, a.body)
		}
	})
}

func TestSecretsDoNotPrint(t *testing.T) {
	const canary = "hunter2"
	key := Key{ID: "id", Secret: heartbeat.NewSecret(canary), Token: heartbeat.NewSecret(canary)}
	cfg := struct {
		key  Key
		keys []Key
		pub  *Key
	}{key, []Key{key}, &key}
	for _, verb := range strings.Split("v +v #v s q d x X t T p", " ") {
		if out := fmt.Sprintf("%"+verb, cfg) + fmt.Sprintf("%"+verb, key) + fmt.Sprintf("%"+verb, key.Secret); strings.Contains(out, canary) ||
			strings.Contains(out, hex.EncodeToString([]byte(canary))) {
			t.Errorf("%%%s prints it: %s", verb, out)
		}
	}
}
