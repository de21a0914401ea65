package natskv_test

import (
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/replicatedtest"
)

// distant returns the Config of a new group on a server, and the proxy in front of the
// server.
func distant(t *testing.T, f *fleet) (natskv.Config, *replicatedtest.Proxy) {
	t.Helper()
	u, err := url.Parse(f.servers[0].ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	p, err := replicatedtest.NewProxy(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	conn, err := nats.Connect("nats://"+p.Addr(), append(natskv.Options(), nats.IgnoreDiscoveredServers())...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	cfg := f.config()
	cfg.Conn = conn
	return cfg, p
}

// If an answer takes longer than the first try, the consumer is created twice, and has
// delivered its messages when the second answer arrives. The watch still catches up only
// after it has reported them, and a copy is complete.
func TestSlowNetwork(t *testing.T) {
	t.Parallel()
	f := alone()
	from, network := distant(t, f)
	s := newStore(t, from)
	swap(t, s, document, 0, "the group")
	swap(t, s, record("a"), 0, "there")
	for i := range 3 {
		swap(t, s, checkpoint(strconv.Itoa(i)), 0, strconv.Itoa(i))
	}
	network.Set(replicatedtest.Network{Latency: 280 * time.Millisecond})
	for _, kind := range []replicated.Kind{replicated.KindDocument, replicated.KindRecord} {
		w := watch(t, s, kind)
		if there := w.caughtUp(); len(there) != 1 {
			t.Errorf("the watch of the %s has told %v when it says that it has told all", kind, there)
		}
		w.stop()
	}
	to := f.config()
	to.Conn = f.connect(t, 0)
	if err := natskv.Copy(soon(t), from, to); err != nil {
		t.Fatal(err)
	}
	target := newStore(t, to)
	for i := range 3 {
		if v := get(t, target, checkpoint(strconv.Itoa(i))); string(v.Data) != strconv.Itoa(i) {
			t.Errorf("checkpoint %d is copied as %q", i, v.Data)
		}
	}
}
