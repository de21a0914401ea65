package replicated_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/replicatedtest"
	"github.com/rollcall-go/rollcall/shardset"
)

const faultTTL = 6 * time.Second

var seeds = flag.Int("seeds", 1, "how many storms of faults TestStorms lets each kind of store live through")

// troubled are engines whose watches are late, or whose reads are old, all the time.
// Members may be slow to notice, and have to join anew; nothing else may go wrong.
func troubled() []engine {
	plain := func(l *memstore.Link) replicated.Store { return l }
	return []engine{
		{name: "lagging", wrap: plain, faults: memstore.Faults{WatchLag: 50 * time.Millisecond}},
		{name: "stale", wrap: plain, faults: memstore.Faults{Stale: 20 * time.Millisecond}},
		{name: "flaky", wrap: plain, faults: memstore.Faults{LostAnswers: 0.05, Conflicts: 0.05}},
	}
}

// few are all shown the records of all; of many, some are not.
var (
	few  = []string{"a", "b", "c", "d"}
	many = []string{"a", "b", "c", "d", "f", "g", "h", "i", "j", "k", "l", "m"}
)

// world is a crowd on one store, in a bubble.
type world struct {
	*replicatedtest.Crowd
	engine engine
	store  *memstore.Store
	links  map[string]*memstore.Link // the newest of each name
	before memstore.Snapshot
}

// inWorld runs a test with a crowd.
func inWorld(t *testing.T, e engine, seed uint64, members []string, run func(w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{engine: e, store: memstore.New(), links: map[string]*memstore.Link{}}
		w.store.Seed(seed)
		w.store.SetCompact(e.compact)
		shards := shardset.Range("orders", 12)
		replicatedtest.RunCrowd(t, replicatedtest.CrowdConfig{
			Shards: shards, TTL: faultTTL, Record: 50 * time.Millisecond, CommitEvery: 4,
			Dial: func(name string) (replicatedtest.Connection, error) { return w.dial(name, shards) },
		}, func(c *replicatedtest.Crowd) {
			w.Crowd = c
			w.Join(members...)
			run(w)
		})
	})
}

func (w *world) dial(name string, shards []shardset.Shard) (replicatedtest.Connection, error) {
	l := w.store.Dial(name)
	l.Set(w.engine.link())
	c, err := replicated.New(w.engine.wrap(l), replicated.Config{Group: "orders", TTL: faultTTL, Shards: shards})
	if err != nil {
		return replicatedtest.Connection{}, err
	}
	w.links[name] = l
	return replicatedtest.Connection{Group: c, Close: c.Close, Cut: func(cut bool) {
		f := w.engine.link()
		if cut {
			f.DropRequests, f.DropAnswers, f.HoldWatches = true, true, true
		}
		l.Set(f)
	}}, nil
}

// one is a fault of a's link.
func (w *world) one(name string, change func(f *memstore.Faults)) replicatedtest.Fault {
	return replicatedtest.Fault{
		Name: name,
		Do:   func(*replicatedtest.Crowd) error { w.links["a"].Adjust(change); return nil },
		Undo: func(*replicatedtest.Crowd) error { w.links["a"].Set(w.engine.link()); return nil },
	}
}

// every is a fault of all links.
func (w *world) every(name string, change func(f *memstore.Faults)) replicatedtest.Fault {
	return replicatedtest.Fault{
		Name: name,
		Do: func(*replicatedtest.Crowd) error {
			for _, l := range w.store.Links() {
				l.Adjust(change)
			}
			return nil
		},
		Undo: func(*replicatedtest.Crowd) error {
			for _, l := range w.store.Links() {
				l.Set(w.engine.link())
			}
			return nil
		},
	}
}

func (w *world) during(f replicatedtest.Fault, d time.Duration) replicatedtest.Fault {
	f.Name += fmt.Sprint(" for ", d)
	f.For = d
	return f
}

// once is a fault that has no end.
func once(name string, do func(c *replicatedtest.Crowd) error) replicatedtest.Fault {
	return replicatedtest.Fault{Name: name, Do: do, For: faultTTL / 2}
}

func (w *world) faults() []replicatedtest.Fault {
	type faults = memstore.Faults
	cut := func(f *faults) { f.DropRequests, f.DropAnswers, f.HoldWatches = true, true, true }
	hold := func(f *faults) { f.HoldRequests, f.DropAnswers, f.HoldWatches = true, true, true }
	down := func(on bool) func(*replicatedtest.Crowd) error {
		return func(*replicatedtest.Crowd) error { w.store.SetDown(on); return nil }
	}
	list := []replicatedtest.Fault{
		w.one("cut both ways", cut),
		w.during(w.one("cut both ways", cut), faultTTL/3),
		w.one("cut to the store", func(f *faults) { f.DropRequests = true }),
		w.one("cut from the store", func(f *faults) { f.DropAnswers, f.HoldWatches = true, true }),
		w.one("requests come late", hold),
		w.one("watches hear nothing", func(f *faults) { f.HoldWatches = true }),
		w.one("frozen", func(f *faults) { f.Frozen = true }),
		w.during(w.one("frozen", func(f *faults) { f.Frozen = true }), faultTTL/2),
		w.every("answers get lost", func(f *faults) { f.LostAnswers = 0.2 }),
		w.every("needless conflicts", func(f *faults) { f.Conflicts = 0.2 }),
		w.every("watches lag a little", func(f *faults) { f.WatchLag = 300 * time.Millisecond }),
		w.every("watches lag more than a lease", func(f *faults) { f.WatchLag = faultTTL + time.Second }),
		w.one("one watch lags more than a lease", func(f *faults) { f.WatchLag = faultTTL + time.Second }),
		w.every("reads are stale", func(f *faults) { f.Stale = 300 * time.Millisecond }),
		w.every("calls are slow", func(f *faults) { f.MinLatency, f.MaxLatency = 50*time.Millisecond, 300*time.Millisecond }),
		w.during(replicatedtest.Fault{Name: "store down", Do: down(true), Undo: down(false)}, faultTTL/3),
		w.during(replicatedtest.Fault{Name: "store down", Do: down(true), Undo: down(false)}, 3*faultTTL),
		w.during(w.every("all are cut", cut), faultTTL/3),
		w.during(w.every("all are cut", cut), 3*faultTTL),
		once("watches break", func(*replicatedtest.Crowd) error {
			for _, l := range w.store.Links() {
				l.BreakWatches()
			}
			return nil
		}),
		once("one is killed", func(c *replicatedtest.Crowd) error { c.Kill("b"); c.Join("e"); return nil }),
		once("one is killed and starts again", func(c *replicatedtest.Crowd) error { c.Kill("c"); c.Join("c"); return nil }),
		once("records are wiped", func(*replicatedtest.Crowd) error { w.store.Wipe(replicated.KindRecord); return nil }),
	}
	return slices.Concat(list, w.ttls(), w.losses())
}

// ttls are changes of the TTL, and back again, while all hear of it or while one does not.
func (w *world) ttls() []replicatedtest.Fault {
	var list []replicatedtest.Fault
	heal := func(*replicatedtest.Crowd) error { w.links["a"].Set(w.engine.link()); return nil }
	set := func(ttl time.Duration) error {
		c, err := replicated.New(w.store.Dial("admin"), replicated.Config{Group: "orders"})
		if err != nil {
			return err
		}
		defer c.Close()
		return c.SetTTL(context.Background(), ttl)
	}
	for name, ttl := range map[string]time.Duration{"longer": 2 * faultTTL, "shorter": faultTTL * 2 / 3} {
		change := func(what string, do, undo func(c *replicatedtest.Crowd) error) {
			list = append(list, replicatedtest.Fault{
				Name: fmt.Sprintf("TTL changed to a %s one, %s", name, what),
				Do:   func(c *replicatedtest.Crowd) error { return errors.Join(do(c), set(ttl)) },
				Undo: func(c *replicatedtest.Crowd) error { return errors.Join(undo(c), set(faultTTL)) },
			})
		}
		one := func(f func(f *memstore.Faults)) func(*replicatedtest.Crowd) error {
			return func(*replicatedtest.Crowd) error { w.links["a"].Adjust(f); return nil }
		}
		nothing := func(*replicatedtest.Crowd) error { return nil }
		change("all hear it", nothing, nothing)
		change("one is killed", func(c *replicatedtest.Crowd) error { c.Kill("d"); c.Join("d"); return nil }, nothing)
		change("one hears nothing", one(func(f *memstore.Faults) { f.HoldWatches = true }), heal)
		change("one reads what was", one(func(f *memstore.Faults) { f.HoldWatches, f.Stale = true, 2*faultTTL }), heal)
		change("one is cut off", one(func(f *memstore.Faults) {
			f.DropRequests, f.DropAnswers, f.HoldWatches = true, true, true
		}), heal)
		change("one is frozen", one(func(f *memstore.Faults) { f.Frozen = true }), heal)
	}
	slices.SortFunc(list, func(a, b replicatedtest.Fault) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// losses are the faults after which the store does not know what it knew.
func (w *world) losses() []replicatedtest.Fault {
	back := func(skip uint64) func(*replicatedtest.Crowd) error {
		return func(*replicatedtest.Crowd) error {
			w.store.Rollback(w.before)
			w.store.Skip(skip)
			return nil
		}
	}
	// What the time of a fault does to the group is taken back at the end of it.
	snapshot := func(*replicatedtest.Crowd) error { w.before = w.store.Snapshot(); return nil }
	list := []replicatedtest.Fault{
		{Name: "rolled back, revisions come again", Do: snapshot, Undo: back(0)},
		{Name: "rolled back, revisions go on", Do: snapshot, Undo: back(1_000_000)},
		once("all is wiped", func(*replicatedtest.Crowd) error {
			for _, k := range []replicated.Kind{replicated.KindDocument, replicated.KindRecord, replicated.KindCheckpoint} {
				w.store.Wipe(k)
			}
			return nil
		}),
	}
	for i := range list {
		list[i].LosesWrites = true
	}
	return append(list, w.deletions()...)
}

// deletions are the faults in which the group is deleted and made anew, by its members or
// at once, while all hear of it or while one does not.
func (w *world) deletions() []replicatedtest.Fault {
	admin := func(remake bool) error {
		ctx := context.Background()
		c, err := replicated.New(w.store.Dial("admin"), replicated.Config{
			Group: "orders", TTL: faultTTL * 2 / 3, Shards: shardset.Range("orders", 12),
		})
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.Delete(ctx); err != nil || !remake {
			return err
		}
		return c.Create(ctx)
	}
	deaf := func(change func(f *memstore.Faults)) func(*replicatedtest.Crowd) error {
		return func(*replicatedtest.Crowd) error {
			w.links["a"].Adjust(change)
			return admin(true)
		}
	}
	heal := func(*replicatedtest.Crowd) error { w.links["a"].Set(w.engine.link()); return nil }
	list := []replicatedtest.Fault{
		once("deleted", func(*replicatedtest.Crowd) error { return admin(false) }),
		once("deleted and made anew", func(*replicatedtest.Crowd) error { return admin(true) }),
		{Name: "made anew, one hears nothing", Undo: heal, Do: deaf(func(f *memstore.Faults) { f.HoldWatches = true })},
		{Name: "made anew, one reads what was", Undo: heal, Do: deaf(func(f *memstore.Faults) {
			f.HoldWatches, f.Stale = true, 2*faultTTL
		})},
		{Name: "made anew, one is cut off", Undo: heal, Do: deaf(func(f *memstore.Faults) {
			f.DropRequests, f.DropAnswers, f.HoldWatches = true, true, true
		})},
		{Name: "made anew, one is frozen", Undo: heal, Do: deaf(func(f *memstore.Faults) { f.Frozen = true })},
	}
	for i := range list {
		list[i].Deletes = true
	}
	return list
}

// Whatever befalls the group, no shard has two owners, no epoch comes again, no
// checkpoint goes back, no record is lost, and soon after it all shards are worked on.
func TestFaults(t *testing.T) {
	for _, e := range engines() {
		if e.name != "plain" && e.name != "clocked" {
			continue // the storms are enough
		}
		t.Run(e.name, func(t *testing.T) {
			for i, f := range (&world{}).faults() {
				t.Run(f.Name, func(t *testing.T) {
					t.Parallel()
					inWorld(t, e, uint64(i+1), few, func(w *world) {
						w.Play(w.faults()[i])
					})
				})
			}
		})
	}
}

// The same, with ten faults in an order of chance, one after the other on one store. Every
// second one is of a large group.
func TestStorms(t *testing.T) {
	for _, e := range slices.Concat(engines(), troubled()) {
		n := *seeds
		if e.name == "plain" {
			n = max(n, 2)
		}
		for seed := range uint64(n) {
			t.Run(fmt.Sprintf("%s/seed=%d", e.name, seed), func(t *testing.T) {
				t.Parallel()
				members := few
				if seed%2 == 1 {
					members = many
				}
				inWorld(t, e, seed, members, func(w *world) {
					list := w.faults()
					rand.New(rand.NewPCG(seed, 0)).Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
					w.Play(list[:10]...)
				})
			})
		}
	}
}
