package embedded_test

import (
	"net"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

// refused starts a server that must be refused, and returns the error.
func refused(t *testing.T, dir string, cfg ...embedded.Config) string {
	t.Helper()
	s, err := embedded.Start(dir, cfg...)
	if err == nil {
		s.Close()
		t.Fatalf("a server started in %q with %+v", dir, cfg)
	}
	return err.Error()
}

// All faulty fields are named at once.
func TestFaultyConfig(t *testing.T) {
	why := refused(t, "", embedded.Config{
		Listen:  "nowhere",
		Cluster: embedded.Cluster{Listen: "127.0.0.1:0", Routes: []string{"nats://user:secret@:bad:"}},
	})
	for _, want := range []string{"dir is", "Listen is", "Name is", "Cluster.Name is", "Cluster.Listen has", "Cluster.Routes[0] is"} {
		if !strings.Contains(why, want) {
			t.Errorf("%q is not in: %s", want, why)
		}
	}
	if strings.Contains(why, "secret") {
		t.Errorf("the error tells a password: %s", why)
	}
	for _, listen := range []string{"127.0.0.1:port", "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1"} {
		if why := refused(t, t.TempDir(), embedded.Config{Listen: listen}); !strings.Contains(why, "bad embedded.Config: Listen is") {
			t.Errorf("Listen %q: %s", listen, why)
		}
	}
	if why := refused(t, t.TempDir(), embedded.Config{}, embedded.Config{}); !strings.Contains(why, "at most one Config") {
		t.Errorf("two Configs: %s", why)
	}
	alone := embedded.Config{Name: "a", Cluster: embedded.Cluster{Name: "c", Listen: "127.0.0.1:1"}}
	if why := refused(t, t.TempDir(), alone); !strings.Contains(why, "Cluster.Routes is empty") {
		t.Errorf("a cluster without routes: %s", why)
	}
}

// A port in use is found at once.
func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if why := refused(t, t.TempDir(), embedded.Config{Listen: l.Addr().String()}); !strings.Contains(why, "Listen: ") {
		t.Errorf("a taken port: %s", why)
	}
	cfg := embedded.Config{Name: "a", Cluster: embedded.Cluster{Name: "c", Listen: l.Addr().String(), Routes: []string{"nats://127.0.0.1:1"}}}
	if why := refused(t, t.TempDir(), cfg); !strings.Contains(why, "Cluster.Listen: ") {
		t.Errorf("a taken port of the cluster: %s", why)
	}
}

// A server that every machine on the network could use is refused.
func TestExposed(t *testing.T) {
	if why := refused(t, t.TempDir(), embedded.Config{Listen: "0.0.0.0:0"}); !strings.Contains(why, "Listen is open") {
		t.Errorf("open to the network: %s", why)
	}
	users := func(o *server.Options) { o.Username, o.Password = "user", "password" }
	cluster := embedded.Config{
		Name: "a", Adjust: users,
		Cluster: embedded.Cluster{Name: "c", Listen: "0.0.0.0:65000", Routes: []string{"nats://127.0.0.1:1"}},
	}
	if why := refused(t, t.TempDir(), cluster); !strings.Contains(why, "Cluster.Listen is open") {
		t.Errorf("a cluster open to the network: %s", why)
	}
	s, err := embedded.Start(t.TempDir(), embedded.Config{Listen: "0.0.0.0:0", Adjust: users})
	if err != nil {
		t.Fatalf("with a user: %v", err)
	}
	s.Close()
}
