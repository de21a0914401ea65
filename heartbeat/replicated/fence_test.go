package replicated_test

import (
	"context"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// The claim alone fences the former owner: it need not hear of anything.
func TestClaimFencesAFormerOwner(t *testing.T) {
	bubble(t, func(r *rig) {
		ctx := context.Background()
		p, q := r.process(), r.process()
		a, b := p.member("a"), q.member("b")
		r.together(a)
		g := a.answer.Grants[3]
		if _, found, err := p.Load(ctx, a.owner(g)); found || err != nil {
			t.Fatalf("a loads: %v, %v", found, err)
		}
		if err := p.Save(ctx, a.owner(g), "10"); err != nil {
			t.Fatal(err)
		}
		r.together(a, b)
		p.Adjust(func(f *memstore.Faults) { f.HoldWatches, f.Stale = true, rigTTL })
		var next processor.Owner
		for _, h := range b.answer.Grants {
			if h.ID == g.ID {
				next = b.owner(h)
			}
		}
		if pos, found, err := q.Load(ctx, next); pos != "10" || !found || err != nil {
			t.Fatalf("b loads %q, %v, %v; want what a saved", pos, found, err)
		}
		p.Adjust(func(f *memstore.Faults) { f.Stale = 0 })
		r.wants("a save of the former owner", p.Save(ctx, a.owner(g), "20"), processor.ErrNotOwner)
		r.wants("a load of the former owner", loadError(ctx, p, a.owner(g)), processor.ErrNotOwner)
		if err := q.Save(ctx, next, "30"); err != nil {
			t.Errorf("a save of the owner: %v", err)
		}
		if pos, _, err := q.Position(ctx, g.ID); pos != "30" || err != nil {
			t.Errorf("the position is %q, %v; want 30", pos, err)
		}
	})
}

func loadError(ctx context.Context, p *process, o processor.Owner) error {
	_, _, err := p.Load(ctx, o)
	return err
}

// A save whose answer was lost is made, and does not refuse the next.
func TestSaveAfterLostAnswer(t *testing.T) {
	bubble(t, func(r *rig) {
		ctx := context.Background()
		p := r.process()
		a := p.member("a")
		r.together(a)
		o := a.owner(a.answer.Grants[0])
		if err := loadError(ctx, p, o); err != nil {
			t.Fatal(err)
		}
		p.Adjust(func(f *memstore.Faults) { f.LostAnswers = 1 })
		if err := p.Save(ctx, o, "10"); !errors.Is(err, memstore.ErrLost) {
			t.Fatalf("a save whose answer was lost: %v", err)
		}
		p.Adjust(func(f *memstore.Faults) { f.LostAnswers = 0 })
		if pos, _, err := p.Position(ctx, o.Lease.ID); pos != "10" || err != nil {
			t.Errorf("the position is %q, %v; want 10", pos, err)
		}
		if err := p.Save(ctx, o, "20"); err != nil {
			t.Errorf("the next save: %v", err)
		}
	})
}

// Without a load there is no claim, and without a claim no save. Only the owner that the document
// has can claim.
func TestNoSaveWithoutClaim(t *testing.T) {
	bubble(t, func(r *rig) {
		ctx := context.Background()
		p := r.process()
		a := p.member("a")
		r.together(a)
		o := a.owner(a.answer.Grants[0])
		r.wants("a save without a load", p.Save(ctx, o, "10"), processor.ErrNotOwner)
		for what, change := range map[string]func(o *processor.Owner){
			"another instance": func(o *processor.Owner) { o.Instance++ },
			"another member":   func(o *processor.Owner) { o.Member = "b" },
			"a later epoch":    func(o *processor.Owner) { o.Lease.Epoch++ },
			"an earlier epoch": func(o *processor.Owner) { o.Lease.Epoch-- },
			"another shard":    func(o *processor.Owner) { o.Lease.ID.Number = 99 },
		} {
			other := o
			change(&other)
			r.wants("a load by "+what, loadError(ctx, p, other), processor.ErrNotOwner)
			r.wants("a save by "+what, p.Save(ctx, other, "10"), processor.ErrNotOwner)
		}
		if err := loadError(ctx, p, o); err != nil {
			t.Errorf("the owner's load: %v", err)
		}
	})
}

// The positions of a group that was deleted are not the new one's; those of one whose
// document was lost are.
func TestPositionsOfAnEarlierGroup(t *testing.T) {
	for _, lost := range []bool{false, true} {
		bubble(t, func(r *rig) {
			ctx := context.Background()
			p := r.process()
			a := p.member("a")
			r.together(a)
			a.obey() // it lists what it has, so it is no member of the next group by itself
			o := a.owner(a.answer.Grants[0])
			if err := errors.Join(loadError(ctx, p, o), p.Save(ctx, o, "10")); err != nil {
				t.Fatal(err)
			}
			want := processor.Position("")
			if lost {
				p.Client.Close()
				r.store.Wipe(replicated.KindDocument)
				r.store.Wipe(replicated.KindRecord)
				want = "10"
			} else if err := errors.Join(p.Delete(ctx), p.Create(ctx), a.leave()); err != nil {
				t.Fatal(err)
			}
			q := r.process()
			b := q.member("b")
			r.together(b)
			g := b.answer.Grants[0]
			if g.Epoch <= o.Lease.Epoch {
				t.Errorf("the epoch went from %d to %d", o.Lease.Epoch, g.Epoch)
			}
			if pos, _, err := q.Load(ctx, b.owner(g)); pos != want || err != nil {
				t.Errorf("with the document lost: %v: the new group starts from %q, %v; want %q", lost, pos, err, want)
			}
		})
	}
}

// A group that is behind the epochs of its checkpoints, because its document was lost
// and made anew by a machine whose clock is behind, catches up at the first of them.
func TestEpochsCatchUp(t *testing.T) {
	bubble(t, func(r *rig) {
		ctx := context.Background()
		p := r.process()
		a := p.member("a")
		r.together(a)
		g := a.answer.Grants[0]
		if err := loadError(ctx, p, a.owner(g)); err != nil {
			t.Fatal(err)
		}
		k := replicated.Key{Kind: replicated.KindCheckpoint, Name: g.ID.String()}
		ahead := a.owner(g)
		ahead.Lease.Epoch += 1_000_000_000
		// What another group left: the same, under a later epoch. The first byte is the
		// format, the epoch comes next.
		v := r.store.Value(k)
		_, n := binary.Uvarint(v.Data[1:])
		data := append(binary.AppendUvarint([]byte{v.Data[0]}, ahead.Lease.Epoch), v.Data[1+n:]...)
		if _, err := p.Link.Swap(ctx, k, v.Revision, data); err != nil {
			t.Fatal(err)
		}
		r.wants("a load under an epoch that is behind", loadError(ctx, p, a.owner(g)), processor.ErrNotOwner)
		if err := a.say(a.answer.Grants[1:]...); err != nil { // as a coordinator does, then
			t.Fatal(err)
		}
		r.until(time.Second, "a is granted the shard again", a.has(4), a)
		if now := a.answer.Grants[0]; now.Epoch <= ahead.Lease.Epoch || loadError(ctx, p, a.owner(now)) != nil {
			t.Errorf("a is granted %v after epoch %d, and its load says %v", now, ahead.Lease.Epoch, loadError(ctx, p, a.owner(now)))
		}
	})
}

// An epoch can come twice, from a store that has lost writes; but not with the same
// instance. Whoever has claimed first is refused nothing by the second.
func TestTokensAreComparedWhole(t *testing.T) {
	bubble(t, func(r *rig) {
		ctx := context.Background()
		p := r.process()
		a := p.member("a")
		r.together(a)
		g := a.answer.Grants[0]
		if err := loadError(ctx, p, a.owner(g)); err != nil {
			t.Fatal(err)
		}
		k := replicated.Key{Kind: replicated.KindCheckpoint, Name: g.ID.String()}
		v := r.store.Value(k)
		epoch, n := binary.Uvarint(v.Data[1:])
		_, m := binary.Uvarint(v.Data[1+n:])
		other := binary.AppendUvarint(binary.AppendUvarint([]byte{v.Data[0]}, epoch), a.r.Instance+7)
		if _, err := p.Link.Swap(ctx, k, v.Revision, append(other, v.Data[1+n+m:]...)); err != nil {
			t.Fatal(err)
		}
		r.wants("a load under the epoch of another instance", loadError(ctx, p, a.owner(g)), processor.ErrNotOwner)
		r.wants("a save under it", p.Save(ctx, a.owner(g), "10"), processor.ErrNotOwner)
	})
}

// A group that is made anew goes on above the epochs of the one that was deleted, whatever
// the clock of whoever makes it says.
func TestEpochsGoOnAfterDeletion(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		k := replicated.Key{Kind: replicated.KindDocument}
		g, err := group.New(group.Config{TTL: rigTTL, FirstEpoch: 1 << 60})
		if err != nil {
			t.Fatal(err)
		}
		gone := state.Document{Group: g, Deleted: true}
		if _, err := p.Link.Swap(context.Background(), k, 0, gone.Encode()); err != nil {
			t.Fatal(err)
		}
		a := p.member("a")
		r.wants("a heartbeat to a deleted group", a.say(), heartbeat.ErrGroupNotFound)
		if err := p.Create(context.Background()); err != nil {
			t.Fatal(err)
		}
		r.together(a)
		if e := a.answer.Grants[0].Epoch; e <= 1<<60 {
			t.Errorf("the new group grants epoch %d after %d", e, 1<<60)
		}
	})
}
