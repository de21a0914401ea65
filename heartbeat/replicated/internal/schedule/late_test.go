package schedule

import (
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
)

// knowsTwo returns a Scheduler of the members a, which is its own, and b, both of which have
// joined, and the time. It watches the records and has read the document.
func knowsTwo(t *testing.T, clock bool) (*Scheduler, time.Time) {
	t.Helper()
	s, now := newRig(t, clock), rigStart
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.DocumentRead(now, now, 0, decoded(t, 1, newDocument(t, 2, rigTTL))))
	r := shardset.Heartbeat{Member: "a", Instance: 1, Seq: 1}
	must(s.Admit(now, r))
	w, err := s.Prepare(r, state.StandingAlive)
	must(err)
	_, err = s.RecordWritten(now, w, 2, aRecord(t, "a", 1))
	must(err)
	revision := uint64(3)
	for range 100 {
		p := s.Plan(now)
		switch {
		case s.records.running && !s.records.shown:
			s.RecordSeen(now, "b", 4, aRecord(t, "b", 1))
			s.RecordWatchWorked(now)
		case p.WriteDocument != nil:
			revision += 2
			s.DocumentWritten(now, decoded(t, revision, p.WriteDocument.Data))
		case s.replica.Instance("b") != 0:
			s.DocumentReadDone(now, nil)
			return s, now
		case p.WakeAt.IsZero():
			now = now.Add(time.Second)
		default:
			now = p.WakeAt
		}
	}
	t.Fatal("a and b do not become members")
	return nil, now
}

// A process that runs long after it wanted to, because it was stopped, finds everybody silent
// by its own clock. What they said is on its way still, so it expires nobody yet.
func TestLateProcessExpiresNobody(t *testing.T) {
	s, now := knowsTwo(t, false)
	reread := func() {
		t.Helper()
		if err := s.DocumentRead(now, now, s.Revision(), Document{Revision: s.Revision(), Exists: true}); err != nil {
			t.Fatal(err)
		}
	}
	now = s.Plan(now).WakeAt.Add(2 * rigTTL)
	reread()
	if p := s.Plan(now); len(p.Expire) > 0 || !s.expiry.notBefore.Equal(now.Add(rigTTL/10)) {
		t.Errorf("at once after waking it expires %v; nobody before %v", p.Expire, s.expiry.notBefore.Sub(now))
	}
	now = s.wakeAt.Add(rigTTL / 20) // a little late, as any timer
	for s.expiry.notBefore.After(now) {
		s.Plan(now)
		now = now.Add(rigTTL / 100)
	}
	if p := s.Plan(now); len(p.Expire) != 2 || p.Expire[1].Member != "b" {
		t.Errorf("a while later it expires %v, want both", p.Expire)
	}
}

// Nothing that a plan starts is started again before its result is known.
func TestNothingIsStartedTwice(t *testing.T) {
	for _, clock := range []bool{false, true} {
		s, now := knowsTwo(t, clock)
		s.ClockAnswered(nil, -1, nil)
		var reads, clocks, tombstones int
		for range 500 {
			now = now.Add(rigTTL / 50)
			p := s.Plan(now)
			if p.ReadDocument {
				reads++
			}
			if p.AskClock > 0 {
				clocks++
			}
			tombstones += len(p.Expire)
			if err := s.DocumentRead(now, now, s.Revision(), Document{Revision: s.Revision(), Exists: true}); err != nil {
				t.Fatal(err)
			}
		}
		if reads != 1 || clock && clocks != 1 || !clock && tombstones != 2 {
			t.Errorf("with a clock: %v: %d reads, %d questions, %d tombstones", clock, reads, clocks, tombstones)
		}
	}
}

// planUntil makes plans until one is as wanted, and returns it.
func planUntil(t *testing.T, s *Scheduler, now time.Time, wanted func(p Plan) bool) (Plan, time.Time) {
	t.Helper()
	for range 100 {
		p := s.Plan(now)
		switch {
		case wanted(p):
			return p, now
		case p.WakeAt.After(now):
			now = p.WakeAt
		default:
			now = now.Add(time.Millisecond)
		}
	}
	t.Fatal("no plan is as wanted")
	return Plan{}, now
}

func writesDocument(p Plan) bool { return p.WriteDocument != nil }

// After a step that met another version the document is read before the next step. A read that
// was under way at that time may have missed the other version, so it does not count.
func TestStepThatConflictsHasTheDocumentReadAgain(t *testing.T) {
	s, now := knowsTwo(t, false)
	_, now = planUntil(t, s, now, func(p Plan) bool { return p.ReadDocument })
	s.RecordSeen(now, "c", 100, aRecord(t, "c", 1))
	_, now = planUntil(t, s, now, writesDocument)
	s.DocumentConflicted(now)
	s.DocumentReadDone(now, nil) // of the read before
	for range 100 {
		now = now.Add(time.Millisecond)
		p := s.Plan(now)
		if p.WriteDocument != nil {
			t.Fatal("it steps again from what an older read found")
		}
		if p.ReadDocument {
			return
		}
	}
	t.Fatal("the document is not read again")
}

// What a member of this process says while a step is under way is not in it, and asks for the
// next one, also if an earlier record had asked before.
func TestRecordDuringAStepAsksForTheNext(t *testing.T) {
	s, now := knowsTwo(t, false)
	say := func(member string, revision uint64) {
		t.Helper()
		r := shardset.Heartbeat{Member: member, Instance: 1, Seq: 1}
		if err := s.Admit(now, r); err != nil {
			t.Fatal(err)
		}
		w, err := s.Prepare(r, state.StandingAlive)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.RecordWritten(now, w, revision, aRecord(t, member, 1)); err != nil {
			t.Fatal(err)
		}
	}
	s.RecordWatchEnded(now, nil)
	say("c", 100)
	p, now := planUntil(t, s, now, writesDocument)
	say("d", 101)
	now = now.Add(time.Millisecond)
	s.DocumentWritten(now, decoded(t, s.Revision()+1, p.WriteDocument.Data))
	if s.replica.Instance("c") == 0 {
		t.Fatal("the step does not add c")
	}
	p, now = planUntil(t, s, now, writesDocument)
	s.DocumentWritten(now, decoded(t, s.Revision()+1, p.WriteDocument.Data))
	if s.replica.Instance("d") == 0 {
		t.Error("no step adds d")
	}
}
