package heartbeattest

import (
	"context"
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// puppet is a member played by hand: it says what the case wants, true or not.
type puppet struct {
	endpoint
	k        *kit
	name     string
	instance uint64
	seq      uint64
	answer   shardset.Answer // the newest
	sent     time.Time       // when its heartbeat left
}

func (k *kit) puppet(name string) *puppet {
	k.Helper()
	e, err := k.dial()
	if err != nil {
		k.Fatalf("Dial: %v", err)
	}
	return &puppet{endpoint: e, k: k, name: name, instance: k.instance()}
}

// say sends one heartbeat that lists held, from a member that has seen generation.
func (p *puppet) say(generation uint64, held []shardset.Grant) error {
	return p.k.retry(func(ctx context.Context) error {
		p.seq++
		return p.send(ctx, p.seq, generation, held)
	})
}

func (p *puppet) send(ctx context.Context, seq, generation uint64, held []shardset.Grant) error {
	return p.sendReport(ctx, shardset.Heartbeat{Seq: seq, Generation: generation, Held: held})
}

// report sends one heartbeat that lists held, of which done is done.
func (p *puppet) report(generation uint64, held []shardset.Grant, done []shardset.ID) error {
	return p.k.retry(func(ctx context.Context) error {
		p.seq++
		return p.sendReport(ctx, shardset.Heartbeat{Seq: p.seq, Generation: generation, Held: held, Complete: done})
	})
}

func (p *puppet) sendReport(ctx context.Context, r shardset.Heartbeat) error {
	r.Member, r.Instance = p.name, p.instance
	sent := time.Now()
	a, err := p.client.Beat(ctx, r)
	if err == nil {
		p.k.checkAnswer(p.name, a)
		p.answer, p.sent = a, sent
	}
	return err
}

// beat says the truth: that it holds what it was last told.
func (p *puppet) beat() {
	p.k.Helper()
	if err := p.say(p.answer.Generation, p.answer.Grants); err != nil {
		p.k.Fatalf("heartbeat of %s: %v", p.name, err)
	}
}

// beatUntil says the truth until cond is true.
func (p *puppet) beatUntil(what string, cond func() bool, others ...*member) {
	p.k.Helper()
	p.k.until(2*p.k.patience, what, func() bool { p.beat(); return cond() }, others...)
}

// all is a condition: the newest answer grants every shard.
func (p *puppet) all() bool { return len(p.answer.Grants) == len(p.k.ids) }

// owner returns the token of a grant in the newest answer.
func (p *puppet) owner(g shardset.Grant) processor.Owner {
	return processor.Owner{
		Member: p.name, Instance: p.instance, Epochs: p.k.info.Guarantees.Epochs,
		Lease: shardset.Lease{ID: g.ID, Epoch: g.Epoch, NotAfter: p.sent.Add(p.answer.TTL - shardset.Margin(p.answer.TTL))},
	}
}

// epoch returns the epoch under which the newest answer grants a shard; zero if not.
func (p *puppet) epoch(id shardset.ID) uint64 {
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

// save stores a checkpoint in o's name.
func (p *puppet) save(o processor.Owner, pos processor.Position) error {
	return p.k.retry(func(ctx context.Context) error { return p.store.Save(ctx, o, pos) })
}

// load reads a checkpoint in o's name.
func (p *puppet) load(o processor.Owner) (pos processor.Position, err error) {
	err = p.k.retry(func(ctx context.Context) (err error) {
		pos, _, err = p.store.Load(ctx, o)
		return err
	})
	return pos, err
}
