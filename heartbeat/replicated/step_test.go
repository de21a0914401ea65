package replicated_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
)

// crew makes a process for each of n members, m00 and so on, and has them share.
func (r *rig) crew(n int) []*member {
	r.Helper()
	var members []*member
	for i := range n {
		members = append(members, r.process().member(fmt.Sprintf("m%02d", i)))
	}
	r.together(members...)
	return members
}

// As long as the first one acts, the others leave it to it.
func TestFirstRankSteps(t *testing.T) {
	bubble(t, func(r *rig) {
		r.shards = 12
		members := r.crew(4)
		time.Sleep(time.Second)
		before := make([]int64, len(members))
		for i, m := range members {
			before[i] = m.p.steps.Load()
		}
		for i := range 5 {
			late := r.process().member(fmt.Sprintf("z%d", i))
			r.together(append(members, late)...)
			if err := late.leave(); err != nil {
				t.Fatal(err)
			}
			r.together(members...)
		}
		for i, m := range members {
			got := m.p.steps.Load() - before[i]
			if i == 0 && got < 10 || i > 0 && got > 0 {
				t.Errorf("%s made %d steps", m.name, got)
			}
		}
	})
}

// If it cannot, the next one does, a moment later.
func TestNextRankSteps(t *testing.T) {
	bubble(t, func(r *rig) {
		members := r.crew(3)
		members[0].p.shut.Store(true)
		b := r.process().member("z")
		start := time.Now()
		r.until(time.Second, "z is a member although the first cannot step", func() bool { return r.knows("z") }, b)
		if took := time.Since(start); took > 200*time.Millisecond {
			t.Errorf("that took %v", took)
		}
		if members[1].p.steps.Load() == 0 {
			t.Error("and not the second has done it")
		}
	})
}

// With none of the first processes alive, a member's own process makes its step.
func TestMembersMakeTheirOwnSteps(t *testing.T) {
	bubble(t, func(r *rig) {
		r.shards = 24
		members := r.crew(10)
		for _, m := range members[:8] {
			m.p.Client.Close() // they say nothing more, and do nothing
		}
		b := r.process().member("z")
		r.until(4*time.Second, "z is a member although the first eight are gone", func() bool { return r.knows("z") }, b)
		r.until(4*rigTTL, "those that are left have all shards", func() bool {
			n := 0
			for _, m := range append(members[8:], b) {
				n += len(m.answer.Grants)
			}
			return n == r.shards
		}, append(members[8:], b)...)
	})
}

// With none of the first processes alive, and no records to apply, the later ranks find that by
// their probes.
func TestLaterRanksProbe(t *testing.T) {
	bubble(t, func(r *rig) {
		r.shards = 24
		members := r.crew(10)
		for _, m := range members[:8] {
			m.p.Client.Close()
		}
		r.until(5*rigTTL, "the last two have all shards", func() bool {
			return len(members[8].answer.Grants)+len(members[9].answer.Grants) == r.shards
		}, members[8:]...)
	})
}

// Eight members that expire at the same time cost one TTL, and a moment.
func TestManyExpireTogether(t *testing.T) {
	bubble(t, func(r *rig) {
		r.shards = 16
		members := r.crew(8)
		for _, m := range members {
			m.obey()
		}
		dead := time.Now()
		last := members[7]
		r.until(2*rigTTL, "the last one has all shards", last.has(16), last)
		if took := time.Since(dead); took > rigTTL+time.Second {
			t.Errorf("that took %v", took)
		}
	})
}

// Of the processes that see a silent member one expires it, not all.
func TestOneProcessExpires(t *testing.T) {
	bubble(t, func(r *rig) {
		members := r.crew(4)
		dead, rest := members[3], members[:3]
		r.until(2*rigTTL, "the verdict is there", func() bool {
			rec, _ := r.record(dead.name)
			return rec.Standing == state.StandingExpired
		}, rest...)
		time.Sleep(time.Second)
		if n := r.store.Counts(replicated.KindRecord).Conflicts; n != 0 {
			t.Errorf("%d verdicts came too late", n)
		}
	})
}

// A thousand members that join at once make a few dozen documents.
func TestJoinOfMany(t *testing.T) {
	bubble(t, func(r *rig) {
		r.shards = 2000
		var members []*member
		for i := range 20 {
			p := r.process()
			for k := range 50 {
				members = append(members, p.member(fmt.Sprintf("m%02d-%02d", i, k)))
			}
		}
		start := time.Now()
		has := func(m *member) int { return len(m.answer.Grants) }
		for missing := len(members); missing > 0 && time.Since(start) < rigTTL; time.Sleep(20 * time.Millisecond) {
			errs := make(chan error)
			for _, m := range members {
				go func() { errs <- m.say(m.answer.Grants...) }()
			}
			for range members {
				if err := <-errs; err != nil {
					t.Fatal(err)
				}
			}
			missing = 0
			for _, m := range members {
				if has(m) != 2 {
					missing++
				}
			}
		}
		writes := r.store.Counts(replicated.KindDocument).Writes
		t.Logf("1,000 members joined within %v, with %d documents", time.Since(start), writes)
		if took := time.Since(start); took > 2*time.Second || writes > 200 {
			t.Errorf("1,000 members took %v and %d documents", took, writes)
		}
	})
}

// What is left of members that are gone does not stay for ever.
func TestRecordsOfFormerMembersAreDeleted(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a := p.member("a")
		left, died := r.process().member("left"), r.process().member("died")
		r.together(a, left, died)
		if err := left.leave(); err != nil {
			t.Fatal(err)
		}
		r.until(5*rigTTL, "the records of those who left or died are gone", func() bool {
			_, one := r.record("left")
			_, two := r.record("died")
			return !one && !two
		}, a)
		again := r.process().member("left")
		r.together(a, again)
	})
}

// A leave is taken at once, by whoever is first, the one that leaves included.
func TestLeaveIsTakenAtOnce(t *testing.T) {
	bubble(t, func(r *rig) {
		p, q := r.process(), r.process()
		a, b := p.member("a"), q.member("b")
		r.together(a, b)
		wake, err := q.Client.Watch(r.Context(), "b")
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if err := a.leave(); err != nil {
			t.Fatal(err)
		}
		if r.knows("a") {
			t.Error("a has left, and is in the document")
		}
		<-wake
		b.obey()
		if took := time.Since(start); len(b.answer.Grants) != 4 || took > 50*time.Millisecond {
			t.Errorf("%v after a began to leave, b has %d shards", took, len(b.answer.Grants))
		}
		r.wants("a heartbeat of who has left", a.say(), heartbeat.ErrEvicted)
		if err := a.leave(); err != nil {
			t.Errorf("a leaves again: %v", err)
		}
	})
}

// A watch that shows nothing any more, without an error, costs no more than half a TTL.
func TestSilentWatch(t *testing.T) {
	bubble(t, func(r *rig) {
		p, q := r.process(), r.process()
		a, b := p.member("a"), q.member("b")
		r.together(a)
		q.Adjust(func(f *memstore.Faults) { f.HoldWatches = true })
		start := time.Now()
		r.together(a, b)
		if took := time.Since(start); took > rigTTL*3/4 {
			t.Errorf("it took %v until b had its share", took)
		}
	})
}

func TestSetShardsAndSnapshot(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a := p.member("a")
		r.together(a)
		ctx := context.Background()
		if err := p.SetShards(ctx, shardset.Range("orders", 6)); err != nil {
			t.Fatal(err)
		}
		r.until(time.Second, "a has six shards", a.has(6), a)
		if err := p.SetShards(ctx, append(shardset.Range("orders", 2), shardset.Range("orders", 1)...)); err == nil {
			t.Error("a list with a shard twice was taken")
		}
		a.obey()
		snap, err := p.Snapshot(ctx)
		if err != nil || len(snap.Shards) != 6 || len(snap.Members) != 1 || snap.Shards[5].Owner != "a" {
			t.Errorf("snapshot %+v, %v", snap, err)
		}
	})
}

// A silent member whose record was lost expires, too, also with a record clock, which knows
// nothing of it.
func TestLostRecordOfAnExpiredMember(t *testing.T) {
	for _, withClock := range []bool{false, true} {
		bubble(t, func(r *rig) {
			if withClock {
				r.wrap = clocked
			}
			p := r.process()
			a, b := p.member("a"), r.process().member("b")
			r.together(a, b)
			a.obey()
			b.p.Client.Close()
			k := replicated.Key{Kind: replicated.KindRecord, Name: "b"}
			if err := p.Link.Delete(context.Background(), k, r.store.Value(k).Revision); err != nil {
				t.Fatal(err)
			}
			r.until(2*rigTTL, "a has all shards", a.has(4), a)
		})
	}
}

// clockedTap is a tap of a store with a clock.
type clockedTap struct {
	*tap
	clock memstore.Clocked
}

func clocked(s *tap) replicated.Store { return clockedTap{s, memstore.Clocked{Link: s.Link}} }

func (s clockedTap) SwapQuietly(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
	return s.clock.SwapQuietly(ctx, k, old, data)
}

func (s clockedTap) OlderRecords(ctx context.Context, age time.Duration) ([]replicated.Event, time.Duration, error) {
	return s.clock.OlderRecords(ctx, age)
}

// Reads that are a little old are no sign of a store that has lost writes.
func TestStaleReads(t *testing.T) {
	bubble(t, func(r *rig) {
		p, q := r.process(), r.process()
		for _, x := range []*process{p, q} {
			x.Adjust(func(f *memstore.Faults) { f.Stale = 100 * time.Millisecond })
		}
		a, b := p.member("a"), q.member("b")
		for range 20 {
			r.together(a, b)
			if err := b.leave(); err != nil {
				t.Fatal(err)
			}
			b = q.member("b")
			r.together(a)
		}
	})
}

// A process that has begun to see the records is as quick as its rank, also with what it
// was patient about before.
func TestNoPatienceOnceTheRecordsAreShown(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		p.Adjust(func(f *memstore.Faults) { f.WatchLag = 200 * time.Millisecond })
		a, b := p.member("a"), p.member("b")
		if err := a.say(); err != nil {
			t.Fatal(err)
		}
		r.until(100*time.Millisecond, "a is a member", func() bool { return r.knows("a") })
		if err := b.say(); err != nil {
			t.Fatal(err)
		}
		r.until(400*time.Millisecond, "b is a member, too", func() bool { return r.knows("b") })
	})
}
