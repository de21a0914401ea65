package heartbeattest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// The suite asks nothing of a service that it does not promise. This one is as plain
// as they get: its wire carries a name and a list of shards, no numbers, no epochs; it
// cannot push, there is no leaving, and a first heartbeat only joins.
func TestPlainServicePasses(t *testing.T) {
	Run(t, Config{TTL: 6 * time.Second, Slack: time.Second, Bubble: synctest.Test, New: func(t testing.TB, o Options) Service {
		p := &plain{service: newMemory(t, o), known: map[string]bool{}}
		return Service{
			Dial:      func() (heartbeat.Client, processor.Checkpoints, error) { return p, p, nil },
			SetShards: p.service.SetShards,
			End:       p.end,
			Delete:    func() error { p.service.Delete(); return nil },
		}
	}})
}

// Nor does it take what may pass for a fault: of this one every third call fails, some
// after they went through.
func TestUnreliableServicePasses(t *testing.T) {
	Run(t, Config{TTL: 6 * time.Second, Slack: time.Second, Bubble: synctest.Test, New: func(t testing.TB, o Options) Service {
		s := newMemory(t, o)
		return Service{
			Dial: func() (heartbeat.Client, processor.Checkpoints, error) {
				u := &unreliable{Service: s}
				return u, u, nil
			},
			SetShards: s.SetShards,
			Delete:    func() error { s.Delete(); return nil },
		}
	}})
}

// Nor does it take a slow machine for a fault: of this one each commit takes its time, and
// holds up all others.
func TestSlowServicePasses(t *testing.T) {
	const ttl = 6 * time.Second
	Run(t, Config{TTL: ttl, Slack: time.Second, Bubble: synctest.Test, New: func(t testing.TB, o Options) Service {
		s := &slow{Service: newMemory(t, o), takes: ttl / 80, turn: make(chan struct{}, 1)}
		return Service{
			Dial:      func() (heartbeat.Client, processor.Checkpoints, error) { return s, s, nil },
			SetShards: s.SetShards,
			Delete:    func() error { s.Delete(); return nil },
		}
	}})
}

// A service may keep no checkpoints.
func TestServiceWithoutStorePasses(t *testing.T) {
	Run(t, withoutStore(func(g *heartbeat.Guarantees) { g.FencedCommit = false }))
}

// One that keeps none and promises to fence them fails, where it is looked for, and
// ends no test with a panic.
func TestServiceWithoutStoreFailsOnce(t *testing.T) {
	cfg := withoutStore(func(*heartbeat.Guarantees) {}).withDefaults()
	for _, c := range cases() {
		if r := record(t, c, cfg); r.failed != (c.name == "Info/abilities") {
			t.Errorf("%s: failed %v: %s", c.name, r.failed, r.first)
		}
	}
}

func withoutStore(promise func(g *heartbeat.Guarantees)) Config {
	return Config{TTL: 6 * time.Second, Slack: time.Second, Bubble: synctest.Test, New: func(t testing.TB, o Options) Service {
		b := &broken{Service: newMemory(t, o), answers: map[string]shardset.Answer{}}
		b.promise(promise)
		return Service{
			Dial:      func() (heartbeat.Client, processor.Checkpoints, error) { return b, nil, nil },
			SetShards: b.Service.SetShards,
			Delete:    func() error { b.Service.Delete(); return nil },
		}
	}}
}

func newMemory(t testing.TB, o Options) *memory.Service {
	s, err := memory.New(memory.Config{TTL: o.TTL, Ordered: o.Ordered})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetShards(o.Shards); err != nil {
		t.Fatal(err)
	}
	return s
}

// plain is the embedded service behind a wire that carries little.
type plain struct {
	service *memory.Service

	mu    sync.Mutex // guards the fields below
	known map[string]bool
	ended []shardset.ID
}

func (p *plain) Info() heartbeat.Info {
	i := p.service.Info()
	i.Guarantees = heartbeat.Guarantees{FencedCommit: true, Ordered: i.Guarantees.Ordered}
	return i
}

func (p *plain) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	bare := shardset.Heartbeat{Member: r.Member, Closed: p.ended}
	for _, g := range r.Held {
		bare.Held = append(bare.Held, shardset.Grant{ID: g.ID})
	}
	a, err := p.service.Beat(ctx, bare)
	if err != nil {
		return a, err
	}
	told := shardset.Answer{TTL: a.TTL}
	if p.known[r.Member] {
		for _, g := range a.Grants {
			told.Grants = append(told.Grants, shardset.Grant{ID: g.ID})
		}
	}
	p.known[r.Member] = true
	return told, nil
}

func (p *plain) end(id shardset.ID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = append(slices.Clone(p.ended), id)
	return nil
}

func (p *plain) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	pos, ok := p.service.Position(o.Lease.ID) // reads are not fenced
	return pos, ok, ctx.Err()
}

func (p *plain) Save(ctx context.Context, o processor.Owner, pos processor.Position) error {
	return p.service.Save(ctx, processor.Owner{Member: o.Member, Lease: shardset.Lease{ID: o.Lease.ID}}, pos)
}

// unreliable is the embedded service over a bad line.
type unreliable struct {
	*memory.Service
	mu    sync.Mutex // guards calls
	calls int
}

var errLine = errors.New("connection reset")

// fault returns how this call fails: before it goes through, or after.
func (u *unreliable) fault() (before, after error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.calls++
	switch u.calls % 6 {
	case 1:
		return errLine, nil
	case 4:
		return nil, errLine
	}
	return nil, nil
}

func (u *unreliable) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	before, after := u.fault()
	if ctx.Err() == nil && before != nil {
		return shardset.Answer{}, before
	}
	a, err := u.Service.Beat(ctx, r)
	if err == nil && after != nil {
		return shardset.Answer{}, after
	}
	return a, err
}

func (u *unreliable) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	if before, _ := u.fault(); ctx.Err() == nil && before != nil {
		return "", false, before
	}
	return u.Service.Load(ctx, o)
}

func (u *unreliable) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	before, after := u.fault()
	if ctx.Err() == nil && before != nil {
		return before
	}
	err := u.Service.Save(ctx, o, p)
	if err == nil && after != nil {
		return after
	}
	return err
}

func (u *unreliable) Leave(ctx context.Context, r shardset.Heartbeat) error {
	before, after := u.fault()
	if ctx.Err() == nil && before != nil {
		return before
	}
	err := u.Service.Leave(ctx, r)
	if err == nil && after != nil {
		return after
	}
	return err
}

// slow is the embedded service on a busy machine: it stores one checkpoint at a time.
type slow struct {
	*memory.Service
	takes time.Duration
	turn  chan struct{} // holds a token while somebody stores
}

func (s *slow) wait(ctx context.Context) error {
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.turn }()
	select {
	case <-time.After(s.takes):
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slow) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	return s.Service.Save(ctx, o, p)
}

func (s *slow) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	if err := s.wait(ctx); err != nil {
		return "", false, err
	}
	return s.Service.Load(ctx, o)
}
