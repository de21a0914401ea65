package replicated_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// A process that finds the document older than it was forgets it, and its members start
// over; so does one whose watch shows a newer revision of an older group.
func TestRollback(t *testing.T) {
	for _, skip := range []uint64{0, 1_000_000} {
		bubble(t, func(r *rig) {
			p := r.process()
			a := p.member("a")
			r.together(a)
			before := r.store.Snapshot()
			for range 5 { // what is lost is more than what comes next
				b := r.process().member("b")
				r.together(a, b)
				if err := b.leave(); err != nil {
					t.Fatal(err)
				}
				r.together(a)
			}
			r.store.Rollback(before)
			r.store.Skip(skip)
			var err error
			for start := time.Now(); time.Since(start) < rigTTL && err == nil; time.Sleep(100 * time.Millisecond) {
				err = a.say(a.answer.Grants...)
			}
			r.wants("a heartbeat after the store has lost writes", err, heartbeat.ErrEvicted)
			time.Sleep(rigTTL) // by then the document has been read, too
			again := p.member("a")
			r.together(again)
		})
	}
}

// A document of a later revision and an earlier generation is that of a store which has
// lost writes and goes on: whoever is shown it goes on from there.
func TestRollbackThatGoesOn(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a := p.member("a")
		r.together(a)
		before := r.store.Snapshot()
		for range 5 {
			b := r.process().member("b")
			r.together(a, b)
			if err := b.leave(); err != nil {
				t.Fatal(err)
			}
			r.together(a)
		}
		p.Adjust(func(f *memstore.Faults) { f.Frozen = true })
		r.store.Rollback(before)
		r.store.Skip(1_000_000)
		c := r.process().member("c")
		r.until(rigTTL/2, "the new document is there", func() bool { return r.knows("c") }, c)
		p.Adjust(func(f *memstore.Faults) { f.Frozen = false })
		r.until(rigTTL/5, "the process of a knows c", func() bool {
			snap, err := p.Snapshot(context.Background())
			return err == nil && slices.ContainsFunc(snap.Members, func(m group.MemberInfo) bool { return m.Name == "c" })
		})
		r.wants("a heartbeat of a", a.say(a.answer.Grants...), heartbeat.ErrEvicted)
	})
}
