package natskv_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

// withSystem gives a server a user of the system account, beside one of an ordinary one.
func withSystem(always bool) embedded.Config {
	return embedded.Config{Adjust: func(o *server.Options) {
		o.SyncAlways = always
		if !always {
			o.SyncInterval = time.Minute
		}
		system, ordinary := server.NewAccount("SYS"), server.NewAccount("APP")
		o.Accounts = []*server.Account{system, ordinary}
		o.SystemAccount = "SYS"
		o.Users = []*server.User{
			{Username: "sys", Password: "sys", Account: system}, {Username: "app", Password: "app", Account: ordinary},
		}
	}}
}

func TestCheckSync(t *testing.T) {
	for _, always := range []bool{true, false} {
		s, err := embedded.Start(filepath.Join(t.TempDir(), "server"), withSystem(always))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		system, err := s.Connect(nats.UserInfo("sys", "sys"))
		if err != nil {
			t.Fatal(err)
		}
		defer system.Close()
		found, err := natskv.CheckSync(soon(t), system)
		if err != nil || len(found) != 1 {
			t.Fatalf("CheckSync found %v, %v; want one server", found, err)
		}
		if f := found[0]; f.Name != "rollcall" || f.ID == "" || !f.JetStream || f.Always != always || (f.Interval == time.Minute) == always {
			t.Errorf("a server that syncs always (%t) says %+v", always, f)
		}
		ordinary, err := s.Connect(nats.UserInfo("app", "app"))
		if err != nil {
			t.Fatal(err)
		}
		defer ordinary.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if found, err := natskv.CheckSync(ctx, ordinary); err == nil || !strings.Contains(err.Error(), "system account") {
			t.Errorf("through an ordinary account CheckSync found %v, %v", found, err)
		}
	}
}

// All servers of a cluster answer.
func TestCheckSyncOfCluster(t *testing.T) {
	servers, err := embedded.StartCluster(soon(t), t.TempDir(), 3, withSystem(true))
	if err != nil {
		t.Fatal(err)
	}
	defer embedded.CloseAll(servers)
	system, err := servers[0].Connect(nats.UserInfo("sys", "sys"))
	if err != nil {
		t.Fatal(err)
	}
	defer system.Close()
	found, err := natskv.CheckSync(soon(t), system)
	if err != nil || len(found) != 3 {
		t.Fatalf("CheckSync found %v, %v; want three servers", found, err)
	}
	for i, s := range found {
		if s.Name != "node-"+string(rune('0'+i)) || s.Cluster != "rollcall" || !s.Always {
			t.Errorf("server %d says %+v", i, s)
		}
	}
}
