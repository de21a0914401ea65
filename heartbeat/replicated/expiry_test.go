package replicated_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
)

// granted is how many shards some members have, after each has said what it holds.
func granted(members ...*member) (n int) {
	for _, m := range members {
		m.obey()
		n += len(m.answer.Grants)
	}
	return n
}

// However many of the first members expire together, the others have their shards soon.
func TestFirstMembersExpireTogether(t *testing.T) {
	for _, die := range []int{9, 20} {
		bubble(t, func(r *rig) {
			r.shards = 60
			members := r.crew(30)
			for _, m := range members[:die] {
				m.p.Client.Close()
			}
			live := members[die:]
			r.until(4*rigTTL, fmt.Sprintf("%d are missed", die), func() bool {
				n := 0
				for _, m := range live {
					n += len(m.answer.Grants)
				}
				return n == r.shards
			}, live...)
		})
	}
	bubble(t, func(r *rig) { // all of one process
		r.shards = 22
		p := r.process()
		var first []*member
		for i := range 20 {
			first = append(first, p.member(fmt.Sprintf("a%02d", i)))
		}
		y, z := r.process().member("y"), r.process().member("z")
		r.together(append(first, y, z)...)
		p.Client.Close()
		r.until(4*rigTTL, "the two others have all shards", func() bool {
			return len(y.answer.Grants)+len(z.answer.Grants) == r.shards
		}, y, z)
	})
}

// A process whose own member has expired while it watched no records does not bring the member
// back by the last record that it knows of it.
func TestExpiredMemberOfALiveProcess(t *testing.T) {
	bubble(t, func(r *rig) {
		r.shards = 9
		live := r.crew(8)
		p := r.process()
		y := p.member("x0")
		live = append(live, y)
		r.together(live...)
		x := p.member("x1") // gets no shard, and falls silent
		for range 20 {
			granted(append(live, x)...)
			time.Sleep(20 * time.Millisecond)
		}
		r.until(2*rigTTL, "x1 is missed", func() bool { return !r.knows("x1") }, live...)
		if err := y.say(); err != nil { // which asks for a step
			t.Fatal(err)
		}
		for start := time.Now(); time.Since(start) < 2*rigTTL; time.Sleep(50 * time.Millisecond) {
			granted(live...)
			if r.knows("x1") {
				t.Fatalf("%v later it is a member again", time.Since(start))
			}
		}
	})
}

// Without any watch of the records two special members are found, too: an expired one of a live
// process, and one that expired before its first record was applied.
func TestEveryExpiredMemberIsFound(t *testing.T) {
	bubble(t, func(r *rig) {
		r.wrap = func(s *tap) replicated.Store { return blind{tap: s} }
		p := r.process()
		a, b, c := r.process().member("a"), p.member("b"), p.member("c")
		r.together(a, b, c)
		r.until(3*rigTTL, "c is missed", func() bool { return !r.knows("c") }, a, b)
		p.Client.Close()
		again := r.process().member("b")
		if err := again.say(); err != nil {
			t.Fatal(err)
		}
		again.p.Client.Close()
		r.until(3*rigTTL, "a has all shards", a.has(4), a)
	})
}

// A document that can be read and is no group ends heartbeats, too, and no process spins.
func TestDocumentThatIsNoGroup(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a, x := p.member("z"), r.process().member("a")
		r.together(a, x)
		x.p.Client.Close()
		good := r.store.Value(documentKey)
		raw, err := s2.Decode(nil, good.Data[3:])
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Replace(raw, []byte{2, 0, 1, 'a'}, []byte{2, 0, 0}, 1) // a member without a name
		if len(bad) == len(raw) {
			t.Fatal("the document is not as this test knows it")
		}
		if _, err := p.Link.Swap(context.Background(), documentKey, good.Revision, append(bytes.Clone(good.Data[:3]), s2.Encode(nil, bad)...)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		reads := p.reads.Load()
		_ = a.say(a.answer.Grants...) // has the process look
		time.Sleep(5 * time.Second)
		if err := a.say(a.answer.Grants...); err == nil {
			t.Error("a heartbeat was answered from it")
		}
		if n := p.reads.Load() - reads; n > 60 {
			t.Errorf("it was read %d times in 5 s", n)
		}
	})
}

// A version that cannot be read, and that the store then loses, is forgotten.
func TestUnreadableDocumentThatIsLost(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a, b := p.member("a"), p.member("b")
		r.together(a, b)
		before, good := r.store.Snapshot(), r.store.Value(documentKey)
		if _, err := p.Link.Swap(context.Background(), documentKey, good.Revision, append([]byte{2}, good.Data[1:]...)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		p.Adjust(func(f *memstore.Faults) { f.WatchLag = 20 * time.Millisecond })
		r.store.Rollback(before)
		r.store.Skip(100)
		for start := time.Now(); time.Since(start) < 2*rigTTL; time.Sleep(200 * time.Millisecond) {
			done := true
			for _, m := range []*member{a, b} {
				err := m.say(m.answer.Grants...)
				if errors.Is(err, heartbeat.ErrEvicted) {
					*m = *m.p.member(m.name)
				}
				done = done && err == nil
			}
			if done {
				return
			}
		}
		t.Error("after two TTLs heartbeats are refused still")
	})
}
