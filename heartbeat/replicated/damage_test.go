package replicated_test

import (
	"context"
	"encoding/binary"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

var documentKey = replicated.Key{Kind: replicated.KindDocument}

// A document of a later version, or a damaged one, ends the members' heartbeats: what
// they may hold is written there. Nobody wears the store out over it, and once it can be
// read again they are back.
func TestUnreadableDocument(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a, b := p.member("a"), p.member("b")
		r.together(a)
		time.Sleep(time.Second)
		ctx := context.Background()
		good := r.store.Value(documentKey)
		bad := append([]byte{2}, good.Data[1:]...)
		revision, err := p.Link.Swap(ctx, documentKey, good.Revision, bad)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
		reads, steps := p.reads.Load(), p.steps.Load()
		for range 250 {
			if err := a.say(a.answer.Grants...); err == nil {
				t.Fatal("a heartbeat was answered from a document that is not the newest")
			}
			_ = b.say()
			time.Sleep(20 * time.Millisecond)
		}
		if reads, steps = p.reads.Load()-reads, p.steps.Load()-steps; reads > 50 || steps > 25 {
			t.Errorf("in 5 s the document was read %d times, and tried to be written %d times", reads, steps)
		}
		if _, err := p.Link.Swap(ctx, documentKey, revision, good.Data); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		a.obey()
		r.together(a, b)
	})
}

// While it cannot be read, a step that would change it is not tried again and again.
func TestUnreadableDocumentIsNotStepped(t *testing.T) {
	bubble(t, func(r *rig) {
		r.shards = 12
		p := r.process()
		p.Adjust(func(f *memstore.Faults) { f.HoldWatches = true })
		a := p.member("a")
		r.together(a)
		v := r.store.Value(documentKey)
		if _, err := p.Link.Swap(context.Background(), documentKey, v.Revision, []byte{2, 0}); err != nil {
			t.Fatal(err)
		}
		steps := p.steps.Load()
		b := p.member("b")
		_ = b.say() // asks for a step
		for range 1000 {
			_ = a.say(a.answer.Grants...)
			time.Sleep(10 * time.Millisecond)
		}
		if n := p.steps.Load() - steps; n > 60 {
			t.Errorf("%d tries in 10 s", n)
		}
	})
}

// refusing is a tap that takes no document, and counts those that it was given.
type refusing struct {
	*tap
	given *atomic.Int64
}

func (s refusing) Swap(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
	if k.Kind == replicated.KindDocument && old != 0 {
		s.given.Add(1)
		return 0, errShut
	}
	return s.tap.Swap(ctx, k, old, data)
}

// Steps that fail are not tried again at each heartbeat.
func TestFailedStepsArePaced(t *testing.T) {
	bubble(t, func(r *rig) {
		var given atomic.Int64
		r.wrap = func(s *tap) replicated.Store { return refusing{s, &given} }
		a := r.process().member("a")
		for range 500 {
			if err := a.say(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond)
		}
		if n := given.Load(); n < 10 || n > 60 {
			t.Errorf("in 10 s there were %d tries", n)
		}
	})
}

// Reads that stay behind do not make calls spin.
func TestStaleReadsArePaced(t *testing.T) {
	bubble(t, func(r *rig) {
		a := r.process().member("a")
		r.together(a)
		p := r.process()
		p.Adjust(func(f *memstore.Faults) { f.Stale = 5 * time.Second })
		if err := p.Create(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := p.reads.Load(); n < 2 || n > 60 {
			t.Errorf("a document that was not to be seen for 5 s was read %d times", n)
		}
	})
}

// A checkpoint whose epoch is damaged costs its own shard, and nothing else.
func TestDamagedCheckpoint(t *testing.T) {
	for _, epoch := range []uint64{^uint64(0), 1 << 63, 1<<63 - 1, 2*state.MaxEpoch + 1, 2 * state.MaxEpoch, state.MaxEpoch} {
		bubble(t, func(r *rig) {
			ctx := context.Background()
			p := r.process()
			a := p.member("a")
			r.together(a)
			g := a.answer.Grants[0]
			data := append(binary.AppendUvarint([]byte{1}, epoch), 1, 1, 'x')
			if _, err := p.Link.Swap(ctx, replicated.Key{Kind: replicated.KindCheckpoint, Name: g.ID.String()}, 0, data); err != nil {
				t.Fatal(err)
			}
			for try := range 3 { // each time it is asked for, whoever has it
				if _, _, err := p.Load(ctx, a.owner(g)); err == nil {
					t.Errorf("epoch %#x: the position was given away", epoch)
				} else if owned := try == 0; owned && (!processor.IsHalt(err) || !strings.Contains(err.Error(), g.ID.String()) || !strings.Contains(err.Error(), "delete")) {
					t.Errorf("epoch %#x: Load returned %v, want a halt that names the shard and what to do", epoch, err)
				}
				if err := a.say(a.answer.Grants[1:]...); err != nil {
					t.Fatal(err)
				}
				r.until(rigTTL, "a has all shards", a.has(4), a)
			}
			if _, _, err := p.Load(ctx, a.owner(a.answer.Grants[0])); err == nil {
				t.Errorf("epoch %#x: the position was given away", epoch)
			}
			b := r.process().member("b")
			r.together(a, b)
			for _, m := range []*member{a, b} {
				for _, g := range m.answer.Grants[1:] {
					if _, _, err := m.p.Load(ctx, m.owner(g)); err != nil {
						t.Errorf("epoch %#x: shard %v of %s: %v", epoch, g.ID, m.name, err)
					}
				}
			}
			if err := errors.Join(p.Delete(ctx), p.Create(ctx)); err != nil {
				t.Errorf("epoch %#x: delete and create: %v", epoch, err)
			}
		})
	}
}

// The highest epoch that is no damage is outbid, and the group can be deleted and made
// anew above it.
func TestEpochsRiseAboveTheHighest(t *testing.T) {
	bubble(t, func(r *rig) {
		ctx := context.Background()
		p := r.process()
		a := p.member("a")
		r.together(a)
		id := a.answer.Grants[0].ID
		data := append(binary.AppendUvarint([]byte{1}, state.MaxEpoch-1), 1, 1, 'x')
		if _, err := p.Link.Swap(ctx, replicated.Key{Kind: replicated.KindCheckpoint, Name: id.String()}, 0, data); err != nil {
			t.Fatal(err)
		}
		if _, _, err := p.Load(ctx, a.owner(a.answer.Grants[0])); err == nil {
			t.Error("an owner of a lower epoch was given the position")
		}
		for range 3 {
			if err := a.say(a.answer.Grants[1:]...); err != nil {
				t.Fatal(err)
			}
			r.until(rigTTL, "a has all shards", a.has(4), a)
			if _, _, err := p.Load(ctx, a.owner(a.answer.Grants[0])); err != nil {
				t.Error(err)
			}
		}
		if err := errors.Join(p.Delete(ctx), p.Create(ctx)); err != nil {
			t.Error(err)
		}
		r.together(p.member("b"))
	})
}

// A group that no process could read is not written.
func TestTooManyShards(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a := p.member("a")
		r.together(a)
		before := r.store.Value(documentKey)
		many := shardset.Range("orders", state.MaxShards+1)
		if err := p.SetShards(r.Context(), many); err == nil {
			t.Error("a list of more shards than a document takes was taken")
		}
		if now := r.store.Value(documentKey); now.Revision != before.Revision {
			t.Error("and written")
		}
		a.obey()
		cfg := replicated.Config{Group: "orders", Shards: many}
		if _, err := replicated.New(r.store.Dial("b"), cfg); err == nil || !strings.Contains(err.Error(), "Shards is") {
			t.Errorf("a Config with as many: %v", err)
		}
	})
}

// A group that has other shards than the Config keeps them, and says so.
func TestOtherShards(t *testing.T) {
	bubble(t, func(r *rig) {
		core, logs := observer.New(zap.WarnLevel)
		logged := func(cfg *replicated.Config) { cfg.Logger = zap.New(core) }
		a := r.process(logged).member("a")
		r.together(a)
		if n := logs.Len(); n != 0 {
			t.Errorf("a group like the Config made %d lines", n)
		}
		r.shards = 6
		b := r.process(logged).member("b")
		r.shards = 4
		r.together(a, b)
		if got := logs.FilterMessageSnippet("other shards").All(); len(got) != 1 || got[0].ContextMap()["group"] != int64(4) || got[0].ContextMap()["config"] != int64(6) {
			t.Errorf("of the other shards it says %v", got)
		}
		c := r.process(logged, func(cfg *replicated.Config) { cfg.Shards = nil }).member("c")
		r.until(rigTTL, "c is a member", func() bool { return r.knows("c") }, a, b, c)
		if logs.Len() != 1 {
			t.Errorf("who has no list of its own says %v", logs.All()[1:])
		}
	})
	bubble(t, func(r *rig) {
		core, logs := observer.New(zap.WarnLevel)
		r.together(r.process().member("a"))
		p := r.process(withoutShards, func(cfg *replicated.Config) { cfg.Logger = zap.New(core) })
		if err := p.SetShards(r.Context(), nil); err != nil {
			t.Fatal(err)
		}
		b := p.member("b")
		b.obey()
		b.obey()
		if n := logs.FilterMessageSnippet("no shards").Len(); n != 1 {
			t.Errorf("a group without shards makes %d lines", n)
		}
	})
}
