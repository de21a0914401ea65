package heartbeattest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// broken is the embedded service with calls replaced. What is nil is as it should be.
type broken struct {
	*memory.Service

	beat  func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error)
	leave func(ctx context.Context, r shardset.Heartbeat) error
	watch func(ctx context.Context, member string) (<-chan struct{}, error)
	info  func() heartbeat.Info
	load  func(ctx context.Context, o processor.Owner) (processor.Position, bool, error)
	save  func(ctx context.Context, o processor.Owner, p processor.Position) error
	set   func(list []shardset.Shard) error
	// delete is told that the group will be deleted.
	delete func()
	dial   func() (heartbeat.Client, processor.Checkpoints, error)

	mu        sync.Mutex // guards the fields below, which are for the mutants
	answers   map[string]shardset.Answer
	grants    map[string]map[shardset.ID]uint64 // of each member: the first epochs
	numbers   map[string]uint64
	positions map[shardset.ID]processor.Position
	beaten    time.Time // when the newest heartbeat came
}

func (b *broken) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.beaten = time.Now()
	beat := b.beat
	if beat == nil {
		beat = b.Service.Beat
	}
	a, err := beat(ctx, r)
	if err == nil {
		b.answers[r.Member] = a
	}
	return a, err
}

func (b *broken) Leave(ctx context.Context, r shardset.Heartbeat) error {
	if b.leave != nil {
		return b.leave(ctx, r)
	}
	return b.Service.Leave(ctx, r)
}

func (b *broken) Watch(ctx context.Context, member string) (<-chan struct{}, error) {
	if b.watch != nil {
		return b.watch(ctx, member)
	}
	return b.Service.Watch(ctx, member)
}

func (b *broken) Info() heartbeat.Info {
	if b.info != nil {
		return b.info()
	}
	return b.Service.Info()
}

func (b *broken) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.load != nil {
		return b.load(ctx, o)
	}
	return b.Service.Load(ctx, o)
}

func (b *broken) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.save != nil {
		return b.save(ctx, o, p)
	}
	return b.Service.Save(ctx, o, p)
}

func (b *broken) SetShards(list []shardset.Shard) error {
	if b.set != nil {
		return b.set(list)
	}
	return b.Service.SetShards(list)
}

// promise makes Info say what change makes of the truth.
func (b *broken) promise(change func(g *heartbeat.Guarantees)) {
	b.info = func() heartbeat.Info {
		i := b.Service.Info()
		change(&i.Guarantees)
		return i
	}
}

// mutant is a service that breaks one rule, and the cases that have to notice. The
// first of them is the one that was made for it.
type mutant struct {
	name  string
	ttl   float64 // of the leases, as part of what members are told; zero means all of it
	build func(b *broken)
	by    []string
}

func (m mutant) config() Config {
	cfg := Config{TTL: 6 * time.Second, Slack: time.Second}
	cfg.New = func(t testing.TB, o Options) Service {
		ttl := o.TTL
		if m.ttl != 0 {
			ttl = time.Duration(float64(ttl) * m.ttl)
		}
		s, err := memory.New(memory.Config{TTL: ttl, Ordered: o.Ordered})
		if err != nil {
			t.Fatal(err)
		}
		b := &broken{
			Service: s, answers: map[string]shardset.Answer{}, grants: map[string]map[shardset.ID]uint64{},
			numbers: map[string]uint64{}, positions: map[shardset.ID]processor.Position{},
		}
		if m.ttl != 0 {
			b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
				a, err := s.Beat(ctx, r)
				a.TTL = o.TTL
				return a, err
			}
		}
		if m.build != nil {
			m.build(b)
		}
		if b.delete == nil {
			b.delete = func() {}
		}
		if b.dial == nil {
			b.dial = func() (heartbeat.Client, processor.Checkpoints, error) { return b, b, nil }
		}
		if err := b.SetShards(o.Shards); err != nil {
			t.Fatal(err)
		}
		return Service{Dial: b.dial, SetShards: b.SetShards, Delete: func() error {
			b.delete()
			s.Delete()
			return nil
		}}
	}
	return cfg.withDefaults()
}

// answer changes every answer before its member sees it.
func (b *broken) answer(change func(r shardset.Heartbeat, a *shardset.Answer)) {
	b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
		a, err := b.Service.Beat(ctx, r)
		if err == nil {
			change(r, &a)
		}
		return a, err
	}
}

// request changes every heartbeat before the service sees it.
func (b *broken) request(change func(r *shardset.Heartbeat)) {
	b.beat = func(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
		change(&r)
		return b.Service.Beat(ctx, r)
	}
}
