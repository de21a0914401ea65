package natskv_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

// home is where the servers live that tests share.
var home string

// TestMain lets more cases of the suites run at once than there are processors: they mostly
// wait, but begin with a burst of work for the servers, and have leases to keep. At the end
// it closes the servers that they shared.
func TestMain(m *testing.M) {
	flag.Parse()
	err := flag.Set("test.parallel", "12")
	if err == nil {
		home, err = os.MkdirTemp("", "natskv")
	}
	if err != nil {
		panic(err)
	}
	code := m.Run()
	for _, f := range running {
		for _, conn := range f.conns {
			conn.Close()
		}
		embedded.CloseAll(f.servers)
	}
	os.RemoveAll(home)
	os.Exit(code)
}

// fleet is one server, or the three of a cluster, that tests share and leave unharmed.
type fleet struct {
	servers  []*embedded.Server
	replicas int
	conns    []*nats.Conn // one to each server, which the cases of a suite share
	names    atomic.Int64 // given to groups so far
}

// The fleets are started at their first use. Those of the tests do not wait for the disk,
// which many cases share that run at once.
var (
	lazy = embedded.Config{Adjust: func(o *server.Options) { o.SyncAlways = false }}

	alone = sync.OnceValue(func() *fleet {
		s, err := embedded.Start(filepath.Join(home, "alone"), lazy)
		return started([]*embedded.Server{s}, err)
	})
	trio = sync.OnceValue(func() *fleet {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		return started(embedded.StartCluster(ctx, filepath.Join(home, "trio"), 3, lazy))
	})

	starting sync.Mutex // guards running
	running  []*fleet
)

func started(servers []*embedded.Server, err error) *fleet {
	if err != nil {
		panic(err)
	}
	f := &fleet{servers: servers, replicas: len(servers)}
	for _, s := range servers {
		conn, err := nats.Connect(s.ClientURL(), append(natskv.Options(), nats.IgnoreDiscoveredServers())...)
		if err != nil {
			panic(err)
		}
		f.conns = append(f.conns, conn)
	}
	starting.Lock()
	defer starting.Unlock()
	running = append(running, f)
	return f
}

// each runs a test on one server and on three.
func each(t *testing.T, run func(t *testing.T, f *fleet)) {
	for name, f := range map[string]func() *fleet{"R1": alone, "R3": trio} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, f())
		})
	}
}

// warm makes the buckets, and waits until they have leaders: a suite in real time is not
// about that.
func (f *fleet) warm(t *testing.T) {
	t.Helper()
	for i := range f.servers {
		s := f.dial(t, i, f.config())
		swap(t, s, document, 0, "warm")
		swap(t, s, record("a"), 0, "warm")
	}
}

// config returns the Config of a new group, without a connection.
func (f *fleet) config() natskv.Config {
	return natskv.Config{Group: fmt.Sprint("group-", f.names.Add(1)), Replicas: f.replicas}
}

// connect returns a connection to server i, that stays with it.
func (f *fleet) connect(t testing.TB, i int) *nats.Conn {
	return connect(t, f.servers[i%len(f.servers)])
}

func connect(t testing.TB, s *embedded.Server) *nats.Conn {
	t.Helper()
	conn, err := nats.Connect(s.ClientURL(), append(natskv.Options(), nats.IgnoreDiscoveredServers(),
		nats.ReconnectWait(20*time.Millisecond), nats.ReconnectJitter(0, 0))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)
	return conn
}

// dial returns the store of a group as a process sees it that is connected to server i.
func (f *fleet) dial(t testing.TB, i int, cfg natskv.Config) replicated.Store {
	t.Helper()
	cfg.Conn = f.connect(t, i)
	return newStore(t, cfg)
}

func newStore(t testing.TB, cfg natskv.Config) replicated.Store {
	t.Helper()
	s, err := natskv.NewStore(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// soon bounds what has to happen at once, on a busy machine.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	t.Cleanup(cancel)
	return ctx
}

var document = replicated.Key{Kind: replicated.KindDocument}

func record(name string) replicated.Key {
	return replicated.Key{Kind: replicated.KindRecord, Name: name}
}

func checkpoint(name string) replicated.Key {
	return replicated.Key{Kind: replicated.KindCheckpoint, Name: name}
}
