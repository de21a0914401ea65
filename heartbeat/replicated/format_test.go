package replicated_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
)

// newer writes the group's document as one of a newer version, for readers of the format
// least. Its flags have one that this version does not know.
func (p *process) newer(least byte) {
	p.r.Helper()
	v := p.r.store.Value(documentKey)
	data := bytes.Clone(v.Data)
	data[0], data[1], data[2] = 2, least, data[2]|0x80
	if _, err := p.Link.Swap(p.r.Context(), documentKey, v.Revision, data); err != nil {
		p.r.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
}

// untouched fails the test unless the document is as the newer version wrote it.
func (r *rig) untouched(least byte) {
	r.Helper()
	if data := r.store.Value(documentKey).Data; data[0] != 2 || data[1] != least || data[2]&0x80 == 0 {
		r.Errorf("the document begins with %x: an older process has written it", data[:3])
	}
}

// A process that meets a group of a newer version is refused by an error that says so and
// ends its worker. It changes nothing, whatever is asked of it, and looks if it may.
func TestGroupOfANewerVersion(t *testing.T) {
	for _, least := range []byte{1, 2} {
		for _, withClock := range []bool{false, true} {
			bubble(t, func(r *rig) {
				if withClock {
					r.wrap = clocked
				}
				p, q := r.process(), r.process()
				a, b := p.member("a"), q.member("b")
				r.together(a, b)
				p.newer(least)
				late := r.process()
				for _, m := range []*member{a, b, late.member("c")} {
					err := m.say()
					r.wants("a heartbeat of "+m.name, err, replicated.ErrNewer)
					if heartbeat.Retryable(err) {
						t.Errorf("a heartbeat of %s: %v, which a worker would try for ever", m.name, err)
					}
				}
				ctx := context.Background()
				for _, p := range []*process{p, late} {
					r.wants("SetShards", p.SetShards(ctx, shardset.Range("orders", 2)), replicated.ErrNewer)
					r.wants("SetTTL", p.SetTTL(ctx, time.Minute), replicated.ErrNewer)
					r.wants("Delete", p.Delete(ctx), replicated.ErrNewer)
				}
				if s, err := late.Snapshot(ctx); least == 1 && (err != nil || len(s.Members) != 2) {
					t.Errorf("Snapshot: %d members, %v", len(s.Members), err)
				}
				if err := b.leave(); err != nil && least == 1 {
					t.Errorf("a member may leave: %v", err)
				}
				steps := p.steps.Load()
				time.Sleep(5 * rigTTL) // a and b are silent: they are not its to judge
				r.untouched(least)
				if rec, ok := r.record("a"); !ok || rec.Standing != state.StandingAlive {
					t.Errorf("the record of a: %v, %v", ok, rec.Standing)
				}
				if n := p.steps.Load() - steps; n != 0 {
					t.Errorf("it tried to write the document %d times", n)
				}
			})
		}
	}
}

// A document that cannot be read, or is not this process's to write, is deleted by force, and
// the group can be made anew. What can be read of the members that may still work is kept.
func TestForceDelete(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(p *process)
		kept  bool
	}{
		"its own":      {func(*process) {}, true},
		"may be read":  {func(p *process) { p.newer(1) }, true},
		"newer":        {func(p *process) { p.newer(2) }, false},
		"damaged":      {func(p *process) { p.put("damaged") }, false},
		"cut off":      {func(p *process) { p.put("\x01") }, false},
		"and deletion": {func(p *process) { _ = p.Delete(context.Background()) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				p, q := r.process(), r.process()
				a := p.member("a")
				r.together(a)
				a.obey()
				owner := a.owner(a.answer.Grants[0])
				if err := loadError(r.Context(), p, owner); err != nil {
					t.Fatal(err)
				}
				if err := p.Save(r.Context(), owner, "10"); err != nil {
					t.Fatal(err)
				}
				c.spoil(p)
				ctx := context.Background()
				if err := q.ForceDelete(ctx); err != nil {
					t.Fatal(err)
				}
				time.Sleep(100 * time.Millisecond)
				r.wants("a heartbeat", a.say(a.answer.Grants...), heartbeat.ErrGroupNotFound)
				if err := q.Create(ctx); err != nil {
					t.Fatal(err)
				}
				s := q.snapshot()
				if former := len(s.Members) == 1 && s.Members[0].Former; former != c.kept {
					t.Errorf("the new group has the members %+v; a is to be kept: %v", s.Members, c.kept)
				}
				b := q.member("b")
				r.until(3*rigTTL, "b has all shards", b.has(r.shards), b)
				if p, ok, err := q.Load(ctx, b.owner(b.answer.Grants[0])); ok || err != nil {
					t.Errorf("the position of the deleted group is %q, %v", p, err)
				}
			})
		})
	}
	bubble(t, func(r *rig) {
		r.wants("of no group", r.process().ForceDelete(r.Context()), heartbeat.ErrGroupNotFound)
	})
}

// put writes something in place of the document.
func (p *process) put(data string) {
	p.r.Helper()
	if _, err := p.Link.Swap(p.r.Context(), documentKey, p.r.store.Value(documentKey).Revision, []byte(data)); err != nil {
		p.r.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
}
