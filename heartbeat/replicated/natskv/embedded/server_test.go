package embedded_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

func start(t *testing.T, dir string, cfg ...embedded.Config) *embedded.Server {
	t.Helper()
	s, err := embedded.Start(dir, cfg...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// freePort returns an address that is free now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// bucket returns a bucket of the server, over a new connection.
func bucket(t *testing.T, s *embedded.Server, replicas int) jetstream.KeyValue {
	t.Helper()
	conn, err := s.Connect()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		t.Fatal(err)
	}
	kv, err := js.CreateOrUpdateKeyValue(soon(t), jetstream.KeyValueConfig{Bucket: "b", Replicas: replicas})
	if err != nil {
		t.Fatal(err)
	}
	return kv
}

// A server alone listens on the loopback, syncs always, and has what it had after a
// restart, at the same address.
func TestAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "if need be")
	var o server.Options
	s := start(t, dir, embedded.Config{Adjust: func(found *server.Options) { o = *found }})
	if !o.SyncAlways || o.Host != "127.0.0.1" || !o.NoSigs {
		t.Errorf("the server syncs always: %t, listens on %s, leaves signals alone: %t", o.SyncAlways, o.Host, o.NoSigs)
	}
	if err := s.Ready(soon(t)); err != nil || !s.Leads() {
		t.Errorf("a server alone leads: %t, and is ready: %v", s.Leads(), err)
	}
	url := s.ClientURL()
	conn, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if _, err := bucket(t, s, 1).Put(soon(t), "key", []byte("value")); err != nil {
		t.Fatal(err)
	}
	s.Close()
	s.Close()
	if c, err := net.Dial("tcp", strings.TrimPrefix(url, "nats://")); err == nil {
		c.Close()
		t.Error("after Close the server still accepts connections")
	}
	s = start(t, s.Dir(), s.Config())
	if s.ClientURL() != url {
		t.Errorf("after a restart the server is at %s, want %s", s.ClientURL(), url)
	}
	if e, err := bucket(t, s, 1).Get(soon(t), "key"); err != nil || string(e.Value()) != "value" {
		t.Errorf("after a restart the key is %v, %v", e, err)
	}
}

// A server without a port works inside its process.
func TestInProcessOnly(t *testing.T) {
	s := start(t, t.TempDir(), embedded.Config{Listen: embedded.InProcessOnly})
	if url := s.ClientURL(); url != "" {
		t.Errorf("a server without a port is at %s", url)
	}
	if _, err := bucket(t, s, 1).Put(soon(t), "key", nil); err != nil {
		t.Error(err)
	}
}

// A folder has one server at a time.
func TestOneServerPerFolder(t *testing.T) {
	dir := t.TempDir()
	s := start(t, dir)
	if why := refused(t, dir); !strings.Contains(why, "another server") {
		t.Errorf("a second server: %s", why)
	}
	s.Close()
	start(t, dir)
}

// The log of the server goes to the logger, notices at the debug level.
func TestLogger(t *testing.T) {
	core, logs := observer.New(zapcore.DebugLevel)
	s := start(t, t.TempDir(), embedded.Config{Logger: zap.New(core)})
	s.Close()
	if logs.FilterMessageSnippet("Server is ready").FilterLevelExact(zapcore.DebugLevel).Len() != 1 {
		t.Errorf("the log has %d lines, and none that says that the server is ready", logs.Len())
	}
	if n := logs.Filter(func(e observer.LoggedEntry) bool { return e.Level > zapcore.WarnLevel }).Len(); n > 0 {
		t.Errorf("an ordinary life has %d errors in its log", n)
	}
}

// A cluster works without one of its members, which then returns to its folder. A member
// refuses the folder of a single server, and the reverse.
func TestCluster(t *testing.T) {
	dir := t.TempDir()
	servers, err := embedded.StartCluster(soon(t), dir, 3, embedded.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { embedded.CloseAll(servers) }()
	kv := bucket(t, servers[0], 3)
	if _, err := kv.Put(soon(t), "key", []byte("before")); err != nil {
		t.Fatal(err)
	}
	lost := servers[2]
	lost.Close()
	put := func(value string) {
		t.Helper()
		for ctx := soon(t); ; time.Sleep(20 * time.Millisecond) {
			short, cancel := context.WithTimeout(ctx, time.Second)
			_, err := kv.Put(short, "key", []byte(value))
			cancel()
			if err == nil {
				return
			}
			if ctx.Err() != nil {
				t.Fatal(err)
			}
		}
	}
	put("without one")
	if why := refused(t, lost.Dir(), embedded.Config{Name: "node-2"}); !strings.Contains(why, "belongs to a cluster member") {
		t.Errorf("a member's folder for a server alone: %s", why)
	}
	servers[2] = start(t, lost.Dir(), lost.Config())
	if err := servers[2].Ready(soon(t)); err != nil {
		t.Fatal(err)
	}
	if servers[2].ClientURL() != "nats://"+lost.Config().Listen {
		t.Errorf("the member is back at %s, want %s", servers[2].ClientURL(), lost.Config().Listen)
	}
	put("with all")

	old := start(t, filepath.Join(dir, "alone"))
	bucket(t, old, 1)
	old.Close()
	cfg := lost.Config()
	cfg.Name, cfg.Listen, cfg.Cluster.Listen = "node-3", "", freePort(t)
	if why := refused(t, old.Dir(), cfg); !strings.Contains(why, "ran alone") {
		t.Errorf("the folder of a server alone for a member: %s", why)
	}
}

// A folder's name is no pattern, whatever is in it: what the folder holds is found.
func TestFolderOfAnyName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "[orders]*?")
	s := start(t, dir)
	bucket(t, s, 1)
	s.Close()
	own := freePort(t)
	cfg := embedded.Config{Name: "node-0", Cluster: embedded.Cluster{Name: "c", Listen: own, Routes: []string{"nats://" + own}}}
	if why := refused(t, dir, cfg); !strings.Contains(why, "ran alone") {
		t.Errorf("the folder %s of a server alone for a member: %s", dir, why)
	}
}

// A member waits for its cluster as long as it is told to.
func TestReadyWaits(t *testing.T) {
	own := freePort(t)
	s := start(t, t.TempDir(), embedded.Config{Name: "lonely", Cluster: embedded.Cluster{
		Name: "c", Listen: own, Routes: []string{"nats://" + own, "nats://127.0.0.1:1"},
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := s.Ready(ctx); err == nil || !strings.Contains(err.Error(), "lonely") {
		t.Errorf("a member alone is ready: %v", err)
	}
	if _, err := embedded.StartCluster(t.Context(), t.TempDir(), 1, embedded.Config{}); err == nil {
		t.Error("a cluster of one was started")
	}
}
