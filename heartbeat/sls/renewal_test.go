package sls_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
)

// vault is a provider of the key that somebody put into it.
type vault struct {
	mu sync.Mutex // guards id
	id string
}

func (v *vault) put(id string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.id = id
}

func (v *vault) Credentials(context.Context) (sls.Credentials, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return sls.Credentials{AccessKeyID: v.id, AccessKeySecret: heartbeat.NewSecret(secretOf(v.id))}, nil
}

// keyed is a server that takes one key, and a worker of it.
type keyed struct {
	*coordinator.Coordinator
	srv  *slsserver.Server
	stop context.CancelFunc
	done chan struct{}
	err  error
}

func serverKey(id string) []slsserver.Key {
	return []slsserver.Key{{ID: id, Secret: heartbeat.NewSecret(secretOf(id))}}
}

func secretOf(id string) string { return "secret-of-" + id }

func startKeyed(t *testing.T, provider sls.CredentialsProvider) *keyed {
	t.Helper()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	k := &keyed{done: make(chan struct{})}
	var err error
	k.srv, err = slsserver.New(slsserver.Config{
		Projects: []slsserver.Project{{Name: "p", Logstores: []slsserver.Logstore{{Name: "log"}}}}, Keys: serverKey("a"),
	})
	check(err)
	client, err := sls.New(sls.Config{
		Endpoint: "http://127.0.0.1", Project: "p", Logstore: "log", Group: "g", Timeout: 6 * time.Second,
		Credentials: provider, Transport: line{k.srv},
	})
	check(err)
	k.Coordinator, err = coordinator.New(coordinator.Config{
		Group: client, Member: "m", Interval: time.Second,
		Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			<-s.Revoked()
			return nil
		}),
	})
	check(err)
	ctx, stop := context.WithCancel(context.Background())
	k.stop = stop
	go func() { defer close(k.done); k.err = k.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-k.done
		check(client.Close())
		check(k.srv.Close())
	})
	return k
}

func (k *keyed) ended() bool {
	select {
	case <-k.done:
		return true
	default:
		return false
	}
}

// A key that the server does not know yet, or no longer, costs nothing while the lease lasts, with a
// provider or after a first success. Where nothing can change, it ends Run at once; otherwise when the
// lease has expired.
func TestRefusedKeysOfAWorker(t *testing.T) {
	provider := func() (sls.CredentialsProvider, func(string)) {
		v := &vault{id: "a"}
		return v, v.put
	}
	fixed := func() (sls.CredentialsProvider, func(string)) {
		return sls.Static("a", secretOf("a"), ""), func(string) {}
	}
	for name, c := range map[string]struct {
		make   func() (sls.CredentialsProvider, func(string))
		script func(t *testing.T, k *keyed, put func(string))
		fails  bool
	}{
		"replaced on the server first": {provider, func(t *testing.T, k *keyed, put func(string)) {
			_ = k.srv.SetKeys(serverKey("b"))
			time.Sleep(2 * time.Second)
			put("b")
		}, false},
		"replaced in the vault first": {provider, func(t *testing.T, k *keyed, put func(string)) {
			put("b")
			time.Sleep(2 * time.Second)
			_ = k.srv.SetKeys(serverKey("b"))
		}, false},
		"taken away for a moment": {fixed, func(t *testing.T, k *keyed, put func(string)) {
			_ = k.srv.SetKeys(serverKey("b"))
			time.Sleep(2 * time.Second)
			_ = k.srv.SetKeys(serverKey("a"))
		}, false},
		"never replaced": {provider, func(t *testing.T, k *keyed, put func(string)) {
			_ = k.srv.SetKeys(serverKey("b"))
			time.Sleep(4 * time.Second)
			if k.ended() {
				t.Errorf("Run returned %v under a lease", k.err)
			}
		}, true},
		"taken away for good": {fixed, func(t *testing.T, k *keyed, put func(string)) {
			_ = k.srv.SetKeys(serverKey("b"))
			time.Sleep(4 * time.Second)
			if k.ended() {
				t.Errorf("Run returned %v under a lease", k.err)
			}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, put := c.make()
				k := startKeyed(t, p)
				time.Sleep(10 * time.Second)
				if s := k.Status(); len(s.Shards) != 2 {
					t.Fatalf("the worker is %v: %v", s.State, s.LastError)
				}
				c.script(t, k, put)
				time.Sleep(10 * time.Second)
				if c.fails {
					if !k.ended() || !errors.Is(k.err, heartbeat.ErrUnauthorized) {
						t.Errorf("the worker is %v; Run returned %v", k.Status().State, k.err)
					}
					return
				}
				s := k.Status()
				if s.State != coordinator.StateRunning || s.Counters.LeasesLost != 0 || s.HeartbeatErrors != 0 {
					t.Errorf("the worker is %v: %v %+v", s.State, s.LastError, s.Counters)
				}
			})
		})
	}
}

// A worker whose first heartbeat is refused ends at once if its key is fixed. With a
// provider it tries for the time that the group's lease would have.
func TestRefusedKeysAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fixed, v := startKeyed(t, sls.Static("b", secretOf("b"), "")), &vault{id: "b"}
		waits := startKeyed(t, v)
		synctest.Wait()
		if !fixed.ended() || !errors.Is(fixed.err, heartbeat.ErrUnauthorized) {
			t.Errorf("Run with a fixed key returned %v", fixed.err)
		}
		time.Sleep(5 * time.Second)
		v.put("a")
		time.Sleep(3 * time.Second)
		if s := waits.Status(); len(s.Shards) != 2 {
			t.Errorf("the worker is %v: %v", s.State, s.LastError)
		}
		never := startKeyed(t, &vault{id: "b"})
		time.Sleep(5 * time.Second)
		if never.ended() {
			t.Errorf("Run returned %v within a lease's time", never.err)
		}
		time.Sleep(3 * time.Second)
		if !never.ended() || !errors.Is(never.err, heartbeat.ErrUnauthorized) {
			t.Errorf("the worker is %v; Run returned %v", never.Status().State, never.err)
		}
	})
}
