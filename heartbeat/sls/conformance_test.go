package sls_test

import (
	"flag"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/heartbeattest"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
)

// The client against the embedded server, over HTTP. Skipped is what the protocol has
// not:
//
//   - Generation, Stale, "Instances/newer wins": a heartbeat carries shard numbers only,
//     no sequence, generation or instance, so AckedRevoke is not promised.
//   - Rebalance/epochs, "Fence/old epoch", "Fence/epoch to come", "Fence/load by former
//     owner": grants have no epochs.
//   - Leave, Push: there are no such calls. Completion ("Finish/as promised" runs): no
//     answer says that all is done.
//   - Join/logs, Checkpoints/logs: a group belongs to one logstore.
//
// Everything else runs, with three things translated: see service.
func TestConformance(t *testing.T) {
	cfg := conformance(6*time.Second, func(_ testing.TB, srv *slsserver.Server) (string, http.RoundTripper) {
		return "http://127.0.0.1", line{srv}
	})
	cfg.Slack = time.Second
	cfg.Bubble = synctest.Test
	heartbeattest.Run(t, cfg)
}

// The cases that also run over sockets: those that connections, deadlines or concurrent calls can
// change. The others would only wait longer: some last five leases.
var overSockets = []string{
	"Info/abilities", "Join/restart", "Rebalance/three_members", "Release/one_by_one", "Release/back_again",
	"Expiry/stopped_member", "Eviction/unknown_member", "Eviction/rejoin", "Fence/owner", "Fence/in_transfer",
	"Fence/after_expiry", "Fence/other_members", "Fence/load_by_others", "Checkpoints/at_once", "Checkpoints/odd_positions",
	"Context/cancelled", "Context/expired", "Group/created_already", "Group/deleted", "Shards/added",
}

// On a busy machine, with the race detector, a call may take a second: the lease has room
// for several of those.
func TestConformanceInRealTime(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a lease to end")
	}
	t.Parallel()
	var ran sync.Map
	cfg := conformance(8*time.Second, func(t testing.TB, srv *slsserver.Server) (string, http.RoundTripper) {
		_, name, _ := strings.Cut(t.Name(), "/")
		if !slices.Contains(overSockets, name) {
			t.Skip("it runs in fake time only")
		}
		ran.Store(name, true)
		l, err := srv.Listen("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() { defer close(done); _ = srv.Serve(l) }() // Close ends it
		t.Cleanup(func() { _ = srv.Close(); <-done })
		return "http://" + l.Addr().String(), nil
	})
	cfg.Slack = 4 * time.Second // the machine may be busy
	t.Cleanup(func() {
		for _, name := range overSockets {
			if _, ok := ran.Load(name); !ok && !strings.Contains(flag.Lookup("test.run").Value.String(), "/") {
				t.Errorf("there is no case %s", name)
			}
		}
	})
	heartbeattest.Run(t, cfg)
}
