package replicated_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
)

// blind is a tap whose watch of the records fails: at once, or after a while.
type blind struct {
	*tap
	after time.Duration // zero: at once
	tries *atomic.Int64 // may be nil
}

var errBlind = errors.New("there is no watch of the records")

func (s blind) Watch(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
	switch {
	case kind != replicated.KindRecord:
		return s.tap.Watch(ctx, kind, sink)
	case s.after == 0:
		if s.tries != nil {
			s.tries.Add(1)
		}
		return errBlind
	}
	ctx, cancel := context.WithTimeout(ctx, s.after)
	defer cancel()
	return s.tap.Watch(ctx, kind, sink)
}

// A process that stops watching the records, because other ranks come before it, forgets them.
// When it makes its next step, no member that has gone meanwhile comes back.
func TestFormerWatcherBringsNoMemberBack(t *testing.T) {
	bubble(t, func(r *rig) {
		r.shards = 40
		live := r.crew(8)
		gone := r.process().member("a0") // the last of the eight watches no more
		r.together(append(live, gone)...)
		live = append(live, r.process().member("a1"))
		r.together(append(live, gone)...)
		if err := gone.leave(); err != nil {
			t.Fatal(err)
		}
		gone.p.Client.Close()
		r.together(live...)
		steps := func() (n int64) {
			for _, m := range live {
				n += m.p.steps.Load()
			}
			return n
		}
		before := steps()
		for start := time.Now(); time.Since(start) < 4*rigTTL; time.Sleep(100 * time.Millisecond) {
			n := 0
			for _, m := range live {
				m.obey()
				n += len(m.answer.Grants)
			}
			if n != r.shards || r.knows(gone.name) {
				t.Fatalf("%v after it left, those who stay have %d shards; that it is a member is %v", time.Since(start), n, r.knows(gone.name))
			}
		}
		if n := steps() - before; n > 2 {
			t.Errorf("nothing happened, and there were %d steps", n)
		}
	})
}

// If no watch of the records works, members are served all the same: each process applies the
// records of its own members, and the member before an expired one finds it.
func TestNoWatchOfRecords(t *testing.T) {
	bubble(t, func(r *rig) {
		r.wrap = func(s *tap) replicated.Store { return blind{tap: s} }
		members := []*member{r.process().member("a"), r.process().member("b"), r.process().member("c")}
		r.together(members...)
		a := members[0]
		if err := a.say(); err != nil { // it gives up what it has
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second) // nobody says anything
		for _, m := range members {
			m.obey()
		}
		if n := len(a.answer.Grants) + len(members[1].answer.Grants) + len(members[2].answer.Grants); n != r.shards {
			t.Errorf("3 s after a gave up what it had, %d shards have owners", n)
		}
		members[1].p.Client.Close()
		r.until(3*rigTTL, "the others have the shards of the dead", func() bool {
			return len(a.answer.Grants)+len(members[2].answer.Grants) == r.shards
		}, a, members[2])
	})
}

// The last record of a member that has left is found, too, if no process has applied it.
func TestLastRecordIsFound(t *testing.T) {
	bubble(t, func(r *rig) {
		r.wrap = func(s *tap) replicated.Store { return blind{tap: s} }
		a, b := r.process().member("a"), r.process().member("b")
		r.together(a, b)
		b.p.shut.Store(true)
		if err := b.leave(); err != nil {
			t.Fatal(err)
		}
		b.p.Client.Close()
		r.until(rigTTL+3*time.Second, "a has all shards", a.has(4), a)
	})
}

// Those who should see the dead live and say so, but their watches do not work: the
// others find them.
func TestFailingWatchesOfTheFirst(t *testing.T) {
	bubble(t, func(r *rig) {
		r.shards = 20
		made := 0
		r.wrap = func(s *tap) replicated.Store {
			if made++; made <= 8 {
				return blind{tap: s}
			}
			return s
		}
		var members []*member
		for i := range 10 {
			members = append(members, r.process().member(fmt.Sprintf("m%02d", i)))
		}
		// Each step is made by whoever it concerns, after some patience.
		r.until(3*rigTTL, "each has two shards", func() bool {
			return !slices.ContainsFunc(members, func(m *member) bool { return len(m.answer.Grants) != 2 })
		}, members...)
		members[9].p.Client.Close()
		members[4].p.Client.Close()
		live := append(append([]*member{}, members[:4]...), members[5:9]...)
		r.until(6*rigTTL, "the living have all shards", func() bool {
			n := 0
			for _, m := range live {
				n += len(m.answer.Grants)
			}
			return n == r.shards
		}, live...)
	})
}

// Pauses after failures suit the TTL of the group, also where the Config has a longer one.
func TestPausesSuitTheGroup(t *testing.T) {
	bubble(t, func(r *rig) {
		a := r.process().member("a")
		r.together(a)
		var tries atomic.Int64
		r.wrap = func(s *tap) replicated.Store { return blind{tap: s, tries: &tries} }
		b := r.process(func(cfg *replicated.Config) { cfg.TTL = time.Hour }).member("b")
		r.together(a, b)
		before := tries.Load()
		r.until(10*rigTTL, "the watch was tried again", func() bool { return tries.Load() > before+150 }, a, b)
	})
}

// A watch that breaks more often than once in a TTL delays no expiry: a version
// that is shown again is as old as it was.
func TestWatchThatBreaksAgainAndAgain(t *testing.T) {
	bubble(t, func(r *rig) {
		r.wrap = func(s *tap) replicated.Store { return blind{tap: s, after: rigTTL / 3} }
		a, b := r.process().member("a"), r.process().member("b")
		r.together(a, b)
		b.p.Client.Close()
		r.until(rigTTL+time.Second, "a has all shards", a.has(4), a)
	})
}

// A store with a clock is asked by those behind, too, when the first ones are gone.
func TestLaterRanksAskTheClock(t *testing.T) {
	bubble(t, func(r *rig) {
		r.shards = 24
		r.wrap = clocked
		members := r.crew(10)
		for _, m := range members[:8] {
			m.p.Client.Close()
		}
		r.until(3*rigTTL, "the last two have all shards", func() bool {
			return len(members[8].answer.Grants)+len(members[9].answer.Grants) == r.shards
		}, members[8:]...)
	})
}

// A process that starts again has its turn at once, although the group still knows the
// former one.
func TestRestartedProcessDoesNotWait(t *testing.T) {
	for _, n := range []int{1, 4} {
		bubble(t, func(r *rig) {
			members := r.crew(n)
			for i, m := range members {
				m.p.Client.Close()
				members[i] = r.process().member(m.name)
			}
			start := time.Now()
			r.together(members...)
			if took := time.Since(start); took > 200*time.Millisecond {
				t.Errorf("%d processes that start again have their shards after %v", n, took)
			}
		})
	}
}

// Records of processes that never became members are deleted, too.
func TestOrphanedRecordsAreDeleted(t *testing.T) {
	bubble(t, func(r *rig) {
		p := r.process()
		a, b := p.member("a"), r.process().member("b")
		r.together(a, b)
		b.obey()
		ctx := context.Background()
		if err := errors.Join(p.Delete(ctx), p.Create(ctx)); err != nil {
			t.Fatal(err)
		}
		b.p.Client.Close() // its record says that it holds shards of the former group
		a = p.member("a")
		r.until(5*rigTTL, "the record of b is gone", func() bool { _, there := r.record("b"); return !there }, a)
	})
}

// In a large group a process that probes makes no more than two probes in a TTL.
func TestProbesAreFew(t *testing.T) {
	bubble(t, func(r *rig) {
		r.shards = 40
		members := r.crew(20)
		last := members[19]
		before := last.p.reads.Load()
		for range 16 {
			time.Sleep(rigTTL / 4)
			for _, m := range members {
				m.obey()
			}
		}
		// Two of the document and two of the record behind, more or less.
		if n := last.p.reads.Load() - before; n < 8 || n > 28 {
			t.Errorf("in four TTLs the last one has read %d times", n)
		}
		for i, m := range members {
			if _, there := r.record(fmt.Sprintf("m%02d", i)); !there || len(m.answer.Grants) != 2 {
				t.Errorf("%s has %d shards", m.name, len(m.answer.Grants))
			}
		}
	})
}

// Members that the document has, and that have no record, are found by whoever is left,
// whatever clock the store has: also by those who are not shown the records.
func TestMembersWithoutRecordsAreFound(t *testing.T) {
	for name, wrap := range map[string]func(*tap) replicated.Store{"clock": clocked, "no clock": nil} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.shards, r.wrap = 24, wrap
				members := r.crew(12)
				for _, m := range members[:10] {
					m.p.Client.Close()
				}
				hand := r.store.Dial("hand")
				for _, m := range members[:10] {
					k := replicated.Key{Kind: replicated.KindRecord, Name: m.name}
					if err := hand.Delete(r.Context(), k, r.store.Value(k).Revision); err != nil {
						t.Fatal(err)
					}
				}
				r.until(5*rigTTL, "the last two have all shards", func() bool {
					return len(members[10].answer.Grants)+len(members[11].answer.Grants) == r.shards
				}, members[10:]...)
			})
		})
	}
}

// A watch that breaks more often than once in a TTL does not hide a member without a record.
func TestMembersWithoutRecordsBehindABrokenWatch(t *testing.T) {
	bubble(t, func(r *rig) {
		r.wrap = func(s *tap) replicated.Store { return blind{tap: s, after: rigTTL / 3} }
		a, b := r.process().member("a"), r.process().member("b")
		r.together(a, b)
		b.p.Client.Close()
		k := replicated.Key{Kind: replicated.KindRecord, Name: b.name}
		if err := r.store.Dial("hand").Delete(r.Context(), k, r.store.Value(k).Revision); err != nil {
			t.Fatal(err)
		}
		r.until(3*rigTTL, "a has all shards", a.has(4), a)
	})
}

// The shards of an expired member do not go to a member that is quiet, and will expire next.
func TestFreedShardsSkipQuietMembers(t *testing.T) {
	for name, wrap := range map[string]func(*tap) replicated.Store{"clock": clocked, "no clock": nil} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.shards, r.wrap = 12, wrap
				m := r.crew(4)
				a, b, c, d := m[0], m[1], m[2], m[3]
				beat := func(members ...*member) {
					for range 8 {
						time.Sleep(rigTTL / 40)
						for _, m := range members {
							m.obey()
						}
					}
				}
				b.p.Client.Close()
				beat(a, c, d)
				c.p.Client.Close()
				r.until(rigTTL, "b is gone", func() bool { return !r.knows(b.name) }, a, d)
				s, err := a.p.Snapshot(r.Context())
				if err != nil {
					t.Fatal(err)
				}
				n := 0
				for _, i := range s.Shards {
					if i.Owner == c.name {
						n++
					}
				}
				if !r.knows(c.name) || n != 3 {
					t.Errorf("that %s is a member is %t, and it has %d shards, want 3", c.name, r.knows(c.name), n)
				}
				r.until(rigTTL, "the living have all shards", func() bool { return len(a.answer.Grants)+len(d.answer.Grants) == r.shards }, a, d)
			})
		})
	}
}

// One that was not heard for a while, and is heard again, gets its share.
func TestQuietMemberThatBeatsAgainGetsItsShare(t *testing.T) {
	for name, wrap := range map[string]func(*tap) replicated.Store{"clock": clocked, "no clock": nil} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(r *rig) {
				r.shards, r.wrap = 12, wrap
				m := r.crew(4)
				m[1].p.Client.Close()
				for range 8 {
					time.Sleep(rigTTL / 40)
					for _, m := range []*member{m[0], m[2], m[3]} {
						m.obey()
					}
				}
				r.until(rigTTL, "the others have its shards", func() bool {
					return !r.knows(m[1].name) && len(m[0].answer.Grants)+len(m[3].answer.Grants) == 9
				}, m[0], m[3])
				if !r.knows(m[2].name) {
					r.Fatal("the one that was heard a little later is gone, too")
				}
				r.together(m[0], m[2], m[3])
			})
		})
	}
}

// Processes that only probe do not ask the store's clock: its cost would rise with
// the square of the group.
func TestFewAskTheClock(t *testing.T) {
	bubble(t, func(r *rig) {
		var asked []*atomic.Int64
		r.shards = 40
		r.wrap = func(s *tap) replicated.Store {
			n := new(atomic.Int64)
			asked = append(asked, n)
			return counted{memstore.Clocked{Link: s.Link}, n}
		}
		members := r.crew(20)
		for range 16 {
			time.Sleep(rigTTL / 4)
			for _, m := range members {
				m.obey()
			}
		}
		for i, n := range asked {
			if got := n.Load(); i < 8 && got == 0 || i >= 12 && got > 4 {
				t.Errorf("in four TTLs process %d has asked %d times", i, got)
			}
		}
	})
}

// counted is a store with a clock that counts how often it is asked.
type counted struct {
	memstore.Clocked
	asked *atomic.Int64
}

func (s counted) OlderRecords(ctx context.Context, age time.Duration) ([]replicated.Event, time.Duration, error) {
	s.asked.Add(1)
	return s.Clocked.OlderRecords(ctx, age)
}
