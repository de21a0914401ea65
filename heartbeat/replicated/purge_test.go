package replicated_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// left returns how many keys the store has.
func (r *rig) left() (n int) {
	r.Helper()
	l := r.store.Dial("hand")
	for _, kind := range []replicated.Kind{replicated.KindDocument, replicated.KindRecord, replicated.KindCheckpoint} {
		keys, err := l.Keys(r.Context(), kind)
		if err != nil {
			r.Fatal(err)
		}
		n += len(keys)
	}
	return n
}

// worked makes a group of two members with a checkpoint, which is deleted unless it shall
// stay.
func (r *rig) worked(deleted bool) (p *process, a, b *member) {
	r.Helper()
	p = r.process()
	a, b = p.member("a"), r.process().member("b")
	r.together(a, b)
	o := a.owner(a.answer.Grants[0])
	if _, _, err := p.Load(r.Context(), o); err != nil {
		r.Fatal(err)
	}
	if err := p.Save(r.Context(), o, "7"); err != nil {
		r.Fatal(err)
	}
	if deleted {
		if err := p.Delete(r.Context()); err != nil {
			r.Fatal(err)
		}
	}
	return p, a, b
}

// After a lease in which nobody speaks a purge leaves nothing, and the next group of the
// name is like the first.
func TestPurge(t *testing.T) {
	bubble(t, func(r *rig) {
		p, _, b := r.worked(true)
		if n := r.left(); n < 4 {
			t.Fatalf("a deleted group leaves %d keys; want a document, two records and a checkpoint", n)
		}
		start := time.Now()
		if err := p.Purge(r.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < rigTTL || took > rigTTL+time.Second {
			t.Errorf("it took %v, want a lease", took)
		}
		if n := r.left(); n > 0 {
			t.Errorf("%d keys are left", n)
		}
		if err := p.Purge(r.Context()); err != nil {
			t.Errorf("of what was purged: %v", err)
		}
		if err := b.p.Create(r.Context()); err != nil { // it knows the former group
			t.Fatal(err)
		}
		c := p.member("c")
		r.until(time.Second, "c has all shards", c.has(r.shards), c)
		for _, g := range c.answer.Grants {
			if pos, found, err := p.Load(r.Context(), c.owner(g)); err != nil || found {
				t.Errorf("shard %s is at %q, %v", g.ID, pos, err)
			}
		}
	})
}

// The members of a group that was deleted while its TTL became shorter may have leases of
// the longer one, and a purge waits for that.
func TestPurgeWaitsForTheLongerTTL(t *testing.T) {
	bubble(t, func(r *rig) {
		p, _, _ := r.worked(false)
		if err := p.SetTTL(r.Context(), rigTTL/4); err != nil {
			t.Fatal(err)
		}
		if err := p.Delete(r.Context()); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := p.Purge(r.Context()); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < rigTTL || took > rigTTL+time.Second {
			t.Errorf("it took %v, want the longer lease, %v", took, rigTTL)
		}
	})
}

// A purge removes nothing of a group that is in use, that somebody still works on, or that is
// made anew.
func TestPurgeKeepsWhatIsNeeded(t *testing.T) {
	for _, c := range []struct {
		name    string
		deleted bool
		while   func(r *rig, b *member) error // what happens meanwhile
		want    string
	}{
		{"in use", false, func(*rig, *member) error { return nil }, "is not deleted"},
		{"at work", true, func(r *rig, b *member) error {
			l, k := r.store.Dial("frozen"), replicated.Key{Kind: replicated.KindRecord, Name: b.name}
			v := r.store.Value(k)
			_, err := l.Swap(r.Context(), k, v.Revision, v.Data)
			return err
		}, "at work"},
		{"another member", true, func(r *rig, b *member) error {
			v := r.store.Value(replicated.Key{Kind: replicated.KindRecord, Name: b.name})
			_, err := r.store.Dial("late").Swap(r.Context(), replicated.Key{Kind: replicated.KindRecord, Name: "x"}, 0, v.Data)
			return err
		}, "at work"},
		{"made anew", true, func(r *rig, b *member) error { return b.p.Create(r.Context()) }, "is not deleted"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				p, _, b := r.worked(c.deleted)
				before := r.left()
				done := make(chan error, 1)
				go func() { done <- p.Purge(r.Context()) }()
				time.Sleep(rigTTL / 2)
				if err := c.while(r, b); err != nil {
					t.Fatal(err)
				}
				if err := <-done; err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("it ended with %v, want %q", err, c.want)
				}
				if n := r.left(); n < before {
					t.Errorf("%d keys are left of %d", n, before)
				}
			})
		})
	}
}

func TestPurgeOfNothing(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		if err := p.Purge(r.Context()); err != nil {
			t.Errorf("of a group that never was: %v", err)
		}
		ctx, cancel := context.WithCancel(r.Context())
		q, _, _ := r.worked(true)
		time.AfterFunc(rigTTL/2, cancel)
		r.wants("a purge whose time is over", q.Purge(ctx), context.Canceled)
		r.wants("a heartbeat after it", q.member("z").say(), heartbeat.ErrGroupNotFound)
		r.wrap = func(s *tap) replicated.Store { return only{s} }
		if err := r.process().Purge(r.Context()); err == nil || !strings.Contains(err.Error(), "cannot list") {
			t.Errorf("with a store that cannot list: %v", err)
		}
	})
}

// only is a store without abilities.
type only struct{ replicated.Store }
