package replicated_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// snapshot returns what a process knows of the group.
func (p *process) snapshot() group.Snapshot {
	p.r.Helper()
	s, err := p.Snapshot(p.r.Context())
	if err != nil {
		p.r.Fatal(err)
	}
	return s
}

// A process whose Config has another TTL than the group follows the group, and says so once.
// One whose Config has none has nothing to say.
func TestTTLOfTheConfigDiffers(t *testing.T) {
	bubble(t, func(r *rig) {
		r.together(r.process().member("a"))
		for ttl, want := range map[time.Duration]int{rigTTL: 0, 0: 0, 3 * rigTTL: 1} {
			core, logs := observer.New(zap.WarnLevel)
			p := r.process(func(cfg *replicated.Config) { cfg.TTL, cfg.Logger = ttl, zap.New(core) })
			b := p.member("b")
			for range 3 {
				b.obey()
			}
			if b.answer.TTL != rigTTL {
				t.Errorf("with a Config of %v the lease is %v, want %v", ttl, b.answer.TTL, rigTTL)
			}
			if got := logs.FilterMessageSnippet("another TTL").Len(); got != want {
				t.Errorf("with a Config of %v it warned %d times, want %d", ttl, got, want)
			}
			if err := b.leave(); err != nil {
				t.Error(err)
			}
		}
	})
}

// The TTL of a running group changes in two phases, and no shard moves: at first leases are
// the shorter one and silent members are waited for the longer one.
func TestSetTTL(t *testing.T) {
	for _, ttl := range []time.Duration{rigTTL / 4, 4 * rigTTL} {
		for _, wrap := range []func(s *tap) replicated.Store{nil, clocked} {
			bubble(t, func(r *rig) {
				r.wrap = wrap
				p, q := r.process(), r.process()
				a, b := p.member("a"), q.member("b")
				r.together(a, b)
				a.obey()
				owner := b.owner(b.answer.Grants[0])
				if err := loadError(r.Context(), q, owner); err != nil {
					t.Fatal(err)
				}
				before := p.snapshot().Shards
				if err := p.SetTTL(r.Context(), ttl); err != nil {
					t.Fatal(err)
				}
				// b has seen it, and a is slow to.
				for range 3 {
					b.obey()
					time.Sleep(10 * time.Millisecond)
				}
				s := p.snapshot()
				if s.TTL != ttl || s.Lease != min(ttl, rigTTL) || s.Expiry != max(ttl, rigTTL) || b.answer.TTL != s.Lease {
					t.Errorf("to %v: the first phase has %v, leases of %v (told %v), expiry after %v", ttl, s.TTL, s.Lease, b.answer.TTL, s.Expiry)
				}
				r.until(time.Second, "all have seen the change", func() bool {
					s := p.snapshot()
					return s.Lease == ttl && s.Expiry == ttl
				}, a, b)
				a.obey()
				if a.answer.TTL != ttl {
					t.Errorf("to %v: then a is told %v", ttl, a.answer.TTL)
				}
				for i, s := range p.snapshot().Shards {
					if s != before[i] {
						t.Errorf("to %v: shard %+v was %+v", ttl, s, before[i])
					}
				}
				if err := q.Save(r.Context(), owner, "10"); err != nil {
					t.Errorf("to %v: a commit: %v", ttl, err)
				}
			})
		}
	}
}

// A member that was silent before the change expires when its longest lease has ended. The change
// waits for it until then, and no longer.
func TestSetTTLWaitsForSilentMembers(t *testing.T) {
	for _, withClock := range []bool{false, true} {
		bubble(t, func(r *rig) {
			if withClock {
				r.wrap = clocked
			}
			p := r.process()
			a, b := p.member("a"), r.process().member("b")
			r.together(a, b)
			b.obey()
			silent := time.Now()
			b.p.Client.Close()
			if err := p.SetTTL(r.Context(), rigTTL/4); err != nil {
				t.Fatal(err)
			}
			r.until(rigTTL+time.Second, "a has all shards", a.has(r.shards), a)
			if took := time.Since(silent); took < rigTTL {
				t.Errorf("b had a lease of %v and was found expired after %v", rigTTL, took)
			}
			r.until(time.Second, "the new TTL holds", func() bool { return p.snapshot().Expiry == rigTTL/4 }, a)
		})
	}
}

// A lease is no longer than the TTL that the member's process knew when it wrote the record:
// a process that expires by that record may not have seen the change.
func TestLeaseOfAHeartbeatUnderWay(t *testing.T) {
	bubble(t, func(r *rig) {
		p, q := r.process(), r.process()
		if err := p.Create(r.Context()); err != nil {
			t.Fatal(err)
		}
		a := p.member("a")
		time.Sleep(100 * time.Millisecond)
		p.Adjust(func(f *memstore.Faults) {
			f.MinLatency, f.MaxLatency = 200*time.Millisecond, 200*time.Millisecond
		})
		done := make(chan error, 1)
		go func() { done <- a.say() }()
		time.Sleep(100 * time.Millisecond)
		// Without members the TTL changes in one step.
		if err := q.SetTTL(r.Context(), 4*rigTTL); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil || a.answer.TTL != rigTTL {
			t.Errorf("a heartbeat from before the change got a lease of %v, %v", a.answer.TTL, err)
		}
		time.Sleep(time.Second) // until its process has heard of the change
		a.obey()
		if a.answer.TTL != 4*rigTTL {
			t.Errorf("the next one got a lease of %v", a.answer.TTL)
		}
	})
}

// blindTap is a store with a clock whose documents cannot be read while its flag is set.
type blindTap struct {
	clockedTap
	blind *atomic.Bool
}

func (s blindTap) Get(ctx context.Context, k replicated.Key) (replicated.Value, error) {
	if k.Kind == replicated.KindDocument && s.blind.Load() {
		return replicated.Value{}, errShut
	}
	return s.clockedTap.Get(ctx, k)
}

// A process that has not read the document for a while expires no member by the TTL in it.
func TestNoExpiryByAnOldTTL(t *testing.T) {
	bubble(t, func(r *rig) {
		var blind atomic.Bool
		q := r.process()
		b := q.member("b")
		r.together(b)
		r.wrap = func(s *tap) replicated.Store { return blindTap{clocked(s).(clockedTap), &blind} }
		p := r.process()
		p.snapshot()
		time.Sleep(rigTTL / 100)
		blind.Store(true)
		p.Adjust(func(f *memstore.Faults) { f.HoldWatches = true })
		if err := q.SetTTL(r.Context(), 4*rigTTL); err != nil {
			t.Fatal(err)
		}
		r.until(time.Second, "b has a longer lease", func() bool { return b.answer.TTL == 4*rigTTL }, b)
		time.Sleep(3 * rigTTL)
		if err := b.say(b.answer.Grants...); err != nil {
			t.Errorf("b was silent for less than its lease: %v", err)
		}
	})
}

func TestSetTTLRefuses(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		r.wants("of no group", p.SetTTL(r.Context(), rigTTL), heartbeat.ErrGroupNotFound)
		r.together(p.member("a"))
		steps := p.steps.Load()
		for _, ttl := range []time.Duration{-1, 0, 299 * time.Millisecond, group.MaxTTL + 1} {
			if err := p.SetTTL(r.Context(), ttl); err == nil {
				t.Errorf("a TTL of %v was taken", ttl)
			}
		}
		if err := p.SetTTL(context.Background(), rigTTL); err != nil || p.steps.Load() != steps {
			t.Errorf("the same TTL: %v, with %d writes", err, p.steps.Load()-steps)
		}
	})
}
