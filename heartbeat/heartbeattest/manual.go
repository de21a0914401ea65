package heartbeattest

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// manual is a member whose heartbeats the case makes by hand. They need not be true.
type manual struct {
	endpoint
	k        *kit
	name     string
	instance uint64
	seq      uint64
	answer   shardset.Answer // the newest
	sent     time.Time       // when its heartbeat left
}

func (k *kit) manual(name string) *manual {
	k.Helper()
	e, err := k.dial()
	if err != nil {
		k.Fatalf("Dial: %v", err)
	}
	return &manual{endpoint: e, k: k, name: name, instance: k.instance()}
}

// beatWith sends one heartbeat that reports held, and that shows generation.
func (p *manual) beatWith(generation uint64, held []shardset.Grant) error {
	return p.k.retry(func(ctx context.Context) error {
		p.seq++
		return p.send(ctx, p.seq, generation, held)
	})
}

func (p *manual) send(ctx context.Context, seq, generation uint64, held []shardset.Grant) error {
	return p.sendHeartbeat(ctx, shardset.Heartbeat{Seq: seq, Generation: generation, Held: held})
}

// beatComplete sends one heartbeat that reports held, and that reports complete as complete.
func (p *manual) beatComplete(generation uint64, held []shardset.Grant, complete []shardset.ID) error {
	return p.k.retry(func(ctx context.Context) error {
		p.seq++
		return p.sendHeartbeat(ctx, shardset.Heartbeat{Seq: p.seq, Generation: generation, Held: held, Complete: complete})
	})
}

func (p *manual) sendHeartbeat(ctx context.Context, r shardset.Heartbeat) error {
	r.Member, r.Instance = p.name, p.instance
	sent := time.Now()
	a, err := p.client.Beat(ctx, r)
	if err == nil {
		p.k.checkAnswer(p.name, a)
		p.answer, p.sent = a, sent
	}
	return err
}

// beat sends a true heartbeat: it holds what the last answer granted.
func (p *manual) beat() {
	p.k.Helper()
	if err := p.beatWith(p.answer.Generation, p.answer.Grants); err != nil {
		p.k.Fatalf("heartbeat of %s: %v", p.name, err)
	}
}

// beatUntil sends true heartbeats until cond is true.
func (p *manual) beatUntil(what string, cond func() bool, others ...*member) {
	p.k.Helper()
	p.k.until(2*p.k.patience, what, func() bool { p.beat(); return cond() }, others...)
}

// all is a condition: the newest answer grants every shard.
func (p *manual) all() bool { return len(p.answer.Grants) == len(p.k.ids) }

// owner returns the Owner for a grant in the newest answer.
func (p *manual) owner(g shardset.Grant) processor.Owner {
	return processor.Owner{
		Member: p.name, Instance: p.instance, Epochs: p.k.info.Guarantees.Epochs,
		Lease: shardset.Lease{ID: g.ID, Epoch: g.Epoch, NotAfter: p.sent.Add(p.answer.TTL - shardset.Margin(p.answer.TTL))},
	}
}

// epoch returns the epoch under which the newest answer grants a shard; zero if not.
func (p *manual) epoch(id shardset.ID) uint64 {
	for _, g := range p.answer.Grants {
		if g.ID == id {
			return g.Epoch
		}
	}
	return 0
}

// refused fails the test unless an error is one of those wanted.
func (k *kit) refused(what string, err error, want ...error) {
	k.Helper()
	for _, w := range want {
		if errors.Is(err, w) {
			return
		}
	}
	k.Errorf("%s returned %v, want one that matches one of %q", what, err, want)
}

// save stores a checkpoint as o.
func (p *manual) save(o processor.Owner, pos processor.Position) error {
	return p.k.retry(func(ctx context.Context) error { return p.store.Save(ctx, o, pos) })
}

// load reads a checkpoint as o.
func (p *manual) load(o processor.Owner) (pos processor.Position, err error) {
	err = p.k.retry(func(ctx context.Context) (err error) {
		pos, _, err = p.store.Load(ctx, o)
		return err
	})
	return pos, err
}
