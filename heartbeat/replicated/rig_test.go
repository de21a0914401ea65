package replicated_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

const rigTTL = 10 * time.Second

// rig is a store and the processes on it, in a bubble.
type rig struct {
	*testing.T
	store   *memstore.Store
	clients clients
	shards  int
	wrap    func(s *tap) replicated.Store // what a client sees of its tap; nil: all of it
	last    uint64                        // instance
}

// bubble runs a test in fake time, and closes every client at its end.
func bubble(t *testing.T, run func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{T: t, store: memstore.New(), shards: 4}
		defer r.clients.close()
		run(r)
	})
}

// tap is a link whose swaps of documents can be stopped, and counts.
type tap struct {
	*memstore.Link
	shut  atomic.Bool // swaps of documents fail
	steps atomic.Int64
	reads atomic.Int64
}

var errShut = errors.New("the tap is shut")

func (s *tap) Swap(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
	if k.Kind == replicated.KindDocument {
		if s.shut.Load() {
			return 0, errShut
		}
		s.steps.Add(1)
	}
	return s.Link.Swap(ctx, k, old, data)
}

func (s *tap) Get(ctx context.Context, k replicated.Key) (replicated.Value, error) {
	s.reads.Add(1)
	return s.Link.Get(ctx, k)
}

// process is one process: a client, and the tap that it hangs on.
type process struct {
	*replicated.Client
	*tap
	r *rig
}

// process starts one, over a link of a millisecond or two.
func (r *rig) process(change ...func(cfg *replicated.Config)) *process {
	r.Helper()
	l := r.store.Dial("process")
	l.Set(memstore.Faults{MinLatency: time.Millisecond, MaxLatency: 2 * time.Millisecond})
	cfg := replicated.Config{Group: "orders", TTL: rigTTL, Shards: shardset.Range("orders", r.shards)}
	for _, c := range change {
		c(&cfg)
	}
	s := &tap{Link: l}
	var store replicated.Store = s
	if r.wrap != nil {
		store = r.wrap(s)
	}
	c, err := replicated.New(store, cfg)
	if err != nil {
		r.Fatal(err)
	}
	r.clients.add(c)
	return &process{Client: c, tap: s, r: r}
}

// member is a member that says what the test wants.
type member struct {
	p      *process
	name   string
	r      shardset.Heartbeat
	answer shardset.Answer
}

func (p *process) member(name string) *member {
	p.r.last += 1000
	return &member{p: p, name: name, r: shardset.Heartbeat{Member: name, Instance: p.r.last}}
}

// say sends a heartbeat that lists held.
func (m *member) say(held ...shardset.Grant) error {
	ctx, cancel := context.WithTimeout(m.p.r.Context(), time.Second)
	defer cancel()
	m.r.Seq++
	m.r.Held = held
	a, err := m.p.Beat(ctx, m.r)
	if err == nil {
		m.answer, m.r.Generation = a, a.Generation
	}
	return err
}

// obey sends the heartbeat of a member that holds what its last answer grants.
func (m *member) obey() {
	m.p.r.Helper()
	if err := m.say(m.answer.Grants...); err != nil {
		m.p.r.Fatalf("heartbeat of %s: %v", m.name, err)
	}
}

func (m *member) leave(held ...shardset.Grant) error {
	m.r.Seq++
	m.r.Held = held
	return m.p.Leave(m.p.r.Context(), m.r)
}

// until has members obey, every 20 ms, until cond is true.
func (r *rig) until(limit time.Duration, what string, cond func() bool, members ...*member) {
	r.Helper()
	for start := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		for _, m := range members {
			m.obey()
		}
		if cond() {
			return
		}
		if time.Since(start) > limit {
			r.Fatalf("it is not true after %v that %s", limit, what)
		}
	}
}

// has is a condition: the member's last answer grants it n shards.
func (m *member) has(n int) func() bool { return func() bool { return len(m.answer.Grants) == n } }

// together has members join and share the shards out.
func (r *rig) together(members ...*member) {
	r.Helper()
	r.until(rigTTL, "all shards are shared out", func() bool {
		n, least, most := 0, r.shards, 0
		for _, m := range members {
			k := len(m.answer.Grants)
			n, least, most = n+k, min(least, k), max(most, k)
		}
		return n == r.shards && most-least <= 1
	}, members...)
}

func (m *member) owner(g shardset.Grant) processor.Owner {
	return processor.Owner{Member: m.name, Instance: m.r.Instance, Lease: shardset.Lease{ID: g.ID, Epoch: g.Epoch}, Epochs: true}
}

// wants fails the test unless an error matches.
func (r *rig) wants(what string, err, want error) {
	r.Helper()
	if !errors.Is(err, want) {
		r.Errorf("%s: %v, want %v", what, err, want)
	}
}

// record returns what the store has of a member.
func (r *rig) record(name string) (state.Record, bool) {
	r.Helper()
	v := r.store.Value(replicated.Key{Kind: replicated.KindRecord, Name: name})
	if v.Data == nil {
		return state.Record{}, false
	}
	rec, err := state.DecodeRecord(name, v.Data)
	if err != nil {
		r.Fatal(err)
	}
	return rec, true
}

// knows reports whether the store's document has a member.
func (r *rig) knows(name string) bool {
	r.Helper()
	v := r.store.Value(replicated.Key{Kind: replicated.KindDocument})
	if v.Data == nil {
		return false
	}
	d, err := state.DecodeDocument(v.Data)
	if err != nil {
		r.Fatal(err)
	}
	return d.Group != nil && slices.ContainsFunc(d.Group.Snapshot().Members, func(i group.MemberInfo) bool { return i.Name == name })
}
