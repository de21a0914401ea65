package replicated_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
)

// A heartbeat writes the member's own record, and nothing else: that is what makes a
// thousand members cheap.
func TestHeartbeatsWriteNoDocument(t *testing.T) {
	bubble(t, func(r *rig) {
		p, q := r.process(), r.process()
		a, b := p.member("a"), q.member("b")
		r.together(a, b)
		a.obey()
		b.obey()
		docs, records := r.store.Counts(replicated.KindDocument), r.store.Counts(replicated.KindRecord)
		for range 20 {
			a.obey()
			b.obey()
			time.Sleep(time.Second)
		}
		if now := r.store.Counts(replicated.KindDocument); now != docs {
			t.Errorf("documents were %+v, and after 40 heartbeats %+v", docs, now)
		}
		if now := r.store.Counts(replicated.KindRecord); now.Writes != records.Writes+40 || now.Conflicts != records.Conflicts {
			t.Errorf("records were %+v, and after 40 heartbeats %+v", records, now)
		}
	})
}

// The store refuses the tombstone of a member that has sent a heartbeat meanwhile, however late
// the watch of the other process is.
func TestLateWatchExpiresNoMember(t *testing.T) {
	bubble(t, func(r *rig) {
		p, q := r.process(), r.process()
		a, b := p.member("a"), q.member("b")
		r.together(a, b)
		epoch := b.answer.Grants[0].Epoch
		p.Adjust(func(f *memstore.Faults) { f.HoldWatches = true })
		for range 30 { // a, who judges first, sees nothing of b for three TTLs
			time.Sleep(time.Second)
			a.obey()
			b.obey()
		}
		switch conflicts := r.store.Counts(replicated.KindRecord).Conflicts; {
		case conflicts == 0:
			t.Error("a has not even tried to give a verdict: this test shows nothing")
		case conflicts > 3:
			t.Errorf("a tried to give %d verdicts in three TTLs: it does not hear that it is wrong", conflicts)
		}
		if rec, _ := r.record("b"); rec.Standing != state.StandingAlive || b.answer.Grants[0].Epoch != epoch {
			t.Errorf("b, which spoke every second, is %s, and has %v", rec.Standing, b.answer.Grants)
		}
	})
}

// A member that was silent for a TTL is evicted at its next heartbeat, and joins anew.
func TestSilentMemberIsEvicted(t *testing.T) {
	bubble(t, func(r *rig) {
		p, q := r.process(), r.process()
		a, b := p.member("a"), q.member("b")
		r.together(a, b)
		a.obey()
		silent := time.Now()
		r.until(rigTTL+200*time.Millisecond, "b has the shards of a", b.has(4), b)
		if early := rigTTL - time.Since(silent); early > 0 {
			t.Errorf("b has the shards %v before a's lease ended", early)
		}
		if rec, _ := r.record("a"); rec.Standing != state.StandingExpired || rec.Instance != a.r.Instance {
			t.Errorf("a's record says %s of %d", rec.Standing, rec.Instance)
		}
		r.wants("a heartbeat of a, with what it had", a.say(a.answer.Grants...), heartbeat.ErrEvicted)
		r.wants("a heartbeat of a, with nothing", a.say(), heartbeat.ErrEvicted)
		a.r = shardset.Heartbeat{Member: "a", Instance: a.r.Instance + 1}
		a.answer = shardset.Answer{}
		r.together(a, b)
	})
}

// What a member has given up is kept from it as long as the document still grants it:
// the step that sees the record may grant it to somebody else.
func TestReleasedIsNotTakenUpAgain(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a := p.member("a")
		r.together(a)
		all := a.answer.Grants
		p.shut.Store(true)
		if err := a.say(all[1:]...); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if len(a.answer.Grants) != 3 || a.answer.Complete {
				t.Fatalf("a has given up shard %s, and is told that it may hold %v", all[0].ID, a.answer.Grants)
			}
			time.Sleep(100 * time.Millisecond)
			a.obey()
		}
		// Whatever it says next, what it gave up is given up: some step may have seen it.
		if err := a.say(all...); err != nil {
			t.Fatal(err)
		}
		if rec, _ := r.record("a"); len(rec.Held) != 3 || len(a.answer.Grants) != 3 {
			t.Errorf("a takes back what it gave up: its record lists %v, and it may hold %v", rec.Held, a.answer.Grants)
		}
		p.shut.Store(false)
		r.until(time.Second, "a is granted it again", a.has(4), a)
		if a.answer.Grants[0].Epoch <= all[0].Epoch {
			t.Errorf("a gave up %v, and is granted %v", all[0], a.answer.Grants[0])
		}
	})
}

// So is what it released because it had to, and what is left with it after all.
func TestReleasedIsNotKeptAfterAll(t *testing.T) {
	bubble(t, func(r *rig) {
		p, q := r.process(), r.process()
		a, b := p.member("a"), q.member("b")
		r.together(a)
		all := a.answer.Grants
		if err := b.say(); err != nil {
			t.Fatal(err)
		}
		r.until(time.Second, "a has to give two shards to b", func() bool {
			if err := a.say(all...); err != nil {
				t.Fatal(err)
			}
			return len(a.answer.Grants) == 2
		})
		// b goes again, and a hears of that only after it has released the two.
		p.shut.Store(true)
		if err := b.leave(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		for range 5 {
			if err := a.say(a.answer.Grants...); err != nil {
				t.Fatal(err)
			}
			for _, g := range a.answer.Grants {
				for _, old := range all[2:] {
					if g == old {
						t.Fatalf("a has released %v, and is granted it under the same epoch", g)
					}
				}
			}
			time.Sleep(100 * time.Millisecond)
		}
		p.shut.Store(false)
		r.until(time.Second, "a has all shards again", a.has(4), a)
	})
}

// A record that was written although the write seemed to fail is the member's own, and does not
// end the instance.
func TestLostAnswers(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a := p.member("a")
		r.together(a)
		grants := a.answer.Grants
		for range 10 {
			p.Adjust(func(f *memstore.Faults) { f.LostAnswers = 1 })
			if err := a.say(grants...); !errors.Is(err, memstore.ErrLost) {
				t.Fatalf("a heartbeat whose answer was lost: %v", err)
			}
			p.Adjust(func(f *memstore.Faults) { f.LostAnswers = 0 })
			a.obey()
			if len(a.answer.Grants) != 4 || a.answer.Grants[0] != grants[0] {
				t.Fatalf("a has %v, and had %v", a.answer.Grants, grants)
			}
		}
	})
}

// Of two processes under one name the later one wins, whoever speaks when.
func TestLaterInstanceWins(t *testing.T) {
	bubble(t, func(r *rig) {
		p, q := r.process(), r.process()
		older := p.member("a")
		r.together(older)
		newer := q.member("a")
		r.together(newer)
		err := older.say(older.answer.Grants...)
		var replaced *shardset.ReplacedError
		if !errors.As(err, &replaced) || replaced.Newest != newer.r.Instance {
			t.Errorf("the older process was told %v, want that it is replaced by %d", err, newer.r.Instance)
		}
		newer.obey()

		// One whose clock is behind comes later and is the earlier instance.
		late := r.process().member("a")
		late.r.Instance = newer.r.Instance - 1
		r.wants("the heartbeat of an earlier instance", late.say(), heartbeat.ErrReplaced)
		newer.obey()
		if len(newer.answer.Grants) != 4 {
			t.Errorf("the newer process has %v", newer.answer.Grants)
		}
	})
}

// A member whose record is lost with the store's memory is over: what it was granted on
// the strength of it may be granted again. It comes back as another instance.
func TestLostRecordEndsTheInstance(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a := p.member("a")
		r.together(a)
		r.store.Wipe(replicated.KindRecord)
		r.wants("a heartbeat over a record that is gone", a.say(a.answer.Grants...), heartbeat.ErrEvicted)
		r.wants("another", a.say(), heartbeat.ErrEvicted)
		b := p.member("a")
		r.together(b)
	})
}

func TestBeatRefuses(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a := p.member("a")
		a.r.Instance = 0
		if err := a.say(); err == nil || heartbeat.Retryable(err) {
			t.Errorf("a heartbeat without an instance: %v", err)
		}
		a = p.member("")
		if err := a.say(); err == nil {
			t.Error("a heartbeat without a name was answered")
		}
		r.together(p.member("a"))
		q := r.process(func(cfg *replicated.Config) { cfg.Ordered = true })
		err := q.member("b").say()
		var mismatch *replicated.MismatchError
		if !errors.As(err, &mismatch) || mismatch.Field != "Ordered" || heartbeat.Retryable(err) {
			t.Errorf("a process that takes the group for an ordered one: %v", err)
		}
	})
}

func TestClose(t *testing.T) {
	bubble(t, func(r *rig) {
		idle := r.process()
		idle.Client.Close() // it has started nothing
		r.wants("a heartbeat after Close", idle.member("a").say(), replicated.ErrClosed)

		p := r.process()
		a := p.member("a")
		r.together(a)
		wake, err := p.Client.Watch(context.Background(), "a")
		if err != nil {
			t.Fatal(err)
		}
		p.Adjust(func(f *memstore.Faults) { f.DropRequests = true })
		done, start := make(chan error, 1), time.Now()
		go func() { done <- a.say(a.answer.Grants...) }()
		time.Sleep(10 * time.Millisecond)
		p.Client.Close()
		p.Client.Close()
		if err := <-done; err == nil {
			t.Error("a heartbeat was answered by a client that was closed meanwhile")
		}
		if took := time.Since(start); took > 20*time.Millisecond {
			t.Errorf("it took %v to notice that the client was closed", took)
		}
		for range wake { // it is closed
		}
		if _, err := p.Client.Watch(context.Background(), "a"); !errors.Is(err, replicated.ErrClosed) {
			t.Errorf("Watch after Close: %v", err)
		}
	})
}

// Both in one Client: the earlier instance is refused, and does not write over the later one's
// record.
func TestLaterInstanceWinsInOneProcess(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		older := p.member("a")
		r.together(older)
		newer := p.member("a")
		r.together(newer)
		newer.obey()
		r.wants("a heartbeat of the earlier instance", older.say(), heartbeat.ErrReplaced)
		r.wants("a leave of the earlier instance", older.leave(), heartbeat.ErrReplaced)
		if rec, _ := r.record("a"); rec.Instance != newer.r.Instance || len(rec.Held) != 4 {
			t.Errorf("the record is that of %d, which lists %v", rec.Instance, rec.Held)
		}
		newer.obey()
	})
}

// The record alone refuses the earlier instance, before a document has the later one.
func TestReplacedByTheRecordAlone(t *testing.T) {
	bubble(t, func(r *rig) {
		p, q := r.process(), r.process()
		older := p.member("a")
		r.together(older)
		p.shut.Store(true)
		q.shut.Store(true)
		newer := q.member("a")
		if err := newer.say(); err != nil {
			t.Fatal(err)
		}
		r.wants("a heartbeat of the earlier instance", older.say(older.answer.Grants...), heartbeat.ErrReplaced)
		if rec, _ := r.record("a"); rec.Instance != newer.r.Instance {
			t.Errorf("the record is that of %d, want the later one's", rec.Instance)
		}
	})
}

// So does a tombstone: the expired member's process need not have seen anything.
func TestEvictedByTheRecordAlone(t *testing.T) {
	bubble(t, func(r *rig) {
		p, q := r.process(), r.process()
		a, b := p.member("b"), q.member("a")
		r.together(a, b)
		p.Adjust(func(f *memstore.Faults) { f.HoldWatches = true })
		q.shut.Store(true) // the verdict comes, and no document
		r.until(2*rigTTL, "the verdict is there", func() bool {
			rec, _ := r.record("b")
			return rec.Standing == state.StandingExpired
		}, b)
		r.wants("a heartbeat of the dead", a.say(a.answer.Grants...), heartbeat.ErrEvicted)
		if rec, _ := r.record("b"); rec.Standing != state.StandingExpired {
			t.Errorf("the record is %s again", rec.Standing)
		}
	})
}

// Other members' changes raise the generation in every record. Where nobody needs to know
// that, a store that tells news at a price is spared it.
func TestHeartbeatsWithoutNewsAreQuiet(t *testing.T) {
	bubble(t, func(r *rig) {
		r.shards = 8
		r.wrap = clocked
		members := r.crew(4)
		for range 2 {
			for _, m := range members {
				m.obey()
			}
		}
		late := r.process().member("z")
		r.together(append(members, late)...)
		for _, m := range append(members, late) {
			m.obey() // lists what it has now, and has seen that
		}
		other := r.process().member("zz")
		r.together(append(members, late, other)...)
		before := r.store.Counts(replicated.KindRecord)
		for range 3 {
			for _, m := range append(members, late, other) {
				m.obey()
			}
		}
		now := r.store.Counts(replicated.KindRecord)
		// Each may have to say once more what it holds by now.
		if loud := now.Writes - now.Quiet - before.Writes + before.Quiet; loud > 6 {
			t.Errorf("18 heartbeats of a settled group were loud %d times", loud)
		}
	})
}
