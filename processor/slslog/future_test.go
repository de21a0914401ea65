package slslog

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// ahead makes a server's clock differ from ours by what skew says at the moment.
func clockAhead(skew *time.Duration) func() time.Time {
	return func() time.Time { return time.Now().Add(*skew) }
}

// TestStartInTheFuture: a worker that begins at a time in the future waits for it by the service's clock,
// without requests. After a restart it waits again. Then it reads what was received from that second on.
func TestStartInTheFuture(t *testing.T) {
	for _, skew := range []time.Duration{0, 30 * time.Second, -30 * time.Second} {
		t.Run(fmt.Sprint(skew), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, 2, slsserver.Config{Clock: clockAhead(&skew)})
				s.put('0', 10, sls.PutOptions{})
				s.put('f', 10, sls.PutOptions{})
				opens := time.Now().Add(10 * time.Minute) // our time, when it is that time there
				o := batch.Options[Group]{Initial: batch.At(opens.Add(skew))}
				a := s.work(false, o)
				time.Sleep(5 * time.Minute)
				for _, sh := range a.c.Status().Shards {
					if p := sh.Progress; p.Trouble != nil || !p.CaughtUp || p.Lag != 0 || sh.Position != "" {
						t.Errorf("shard %v shows %+v while it waits", sh.ID, sh)
					}
				}
				if n := s.server.Stats()["PullLogs"] + s.server.Stats()["GetCursor"]; n != 0 {
					t.Errorf("while it waits it sent %d requests", n)
				}
				s.split(0, "4") // those that are made meanwhile wait as well
				s.put('0', 10, sls.PutOptions{})
				a.stop()
				b := s.work(false, o)
				time.Sleep(time.Until(opens.Add(-time.Second / 2)))
				s.put('0', 5, sls.PutOptions{})
				s.put('f', 5, sls.PutOptions{})
				time.Sleep(time.Second / 2)
				first := s.number
				s.put('0', 5, sls.PutOptions{})
				time.Sleep(4 * time.Second)
				s.committed(1, s.at(1, sls.End)) // although nothing has come
				s.put('f', 5, sls.PutOptions{})
				time.Sleep(5 * time.Second)
				b.stop()
				same(t, "handled", fmtAll(all(a, b)), fmtAll(count(first, first+10)))
			})
		})
	}
}

func fmtAll(numbers []int) (texts []string) {
	for _, n := range numbers {
		texts = append(texts, fmt.Sprint(n))
	}
	return texts
}

// TestStartIsKept: the cursor of the time is committed before anything is read, so a restart skips nothing.
func TestStartIsKept(t *testing.T) {
	for name, initial := range map[string]func() batch.Initial{
		"latest": batch.Latest,
		"a time": func() batch.Initial { return batch.At(time.Now()) },
		"past":   func() batch.Initial { return batch.At(time.Now().Add(-time.Minute)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, 1, slsserver.Config{})
				s.put('0', 10, sls.PutOptions{})
				time.Sleep(time.Hour)
				a := s.work(false, batch.Options[Group]{Initial: initial()})
				time.Sleep(5 * time.Second)
				s.committed(0, s.at(0, sls.End))
				a.stop()
				s.put('0', 10, sls.PutOptions{})
				time.Sleep(time.Hour)
				b := s.work(false, batch.Options[Group]{Initial: initial()})
				time.Sleep(5 * time.Second)
				b.stop()
				same(t, "handled", fmtAll(all(a, b)), fmtAll(count(10, 20)))
			})
		})
	}
}

// TestStartAfterTheBound: an empty range ends at once.
func TestStartAfterTheBound(t *testing.T) {
	at := func(n int64) processor.Position { return processor.Position(formatCursor(1000 + n)) }
	for name, c := range map[string]struct {
		start batch.Start
		end   batch.End
	}{
		"until before":    {batch.Start{Until: time.Now().Add(time.Minute)}, batch.EndBound},
		"until then":      {batch.Start{Until: time.Now().Add(time.Hour)}, batch.EndBound},
		"until later":     {batch.Start{Until: time.Now().Add(2 * time.Hour)}, 0},
		"until the end":   {batch.Start{UntilPosition: at(10)}, batch.EndBound},
		"until beyond it": {batch.Start{UntilPosition: at(11)}, 0},
	} {
		s := newShelf(1)
		s.put(0, 10)
		c.start.Initial = batch.At(time.Now().Add(time.Hour))
		r := newRig(t, s, Options{}, c.start)
		got := r.read()
		if got.End != c.end || got.Next != "" || (got.Pause > time.Hour-10*time.Second) != (c.end == 0) {
			t.Errorf("%s: %v, pause %v", name, got.End, got.Pause)
		}
	}
}

// TestStartAndClocksThatAreSet: the request for the start shows that our clock was set forward, so the
// reader goes on waiting.
func TestStartAndClocksThatAreSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.least, s.most = -time.Millisecond, time.Millisecond
		opens := time.Now().Add(time.Hour)
		r := newRig(t, s, Options{}, batch.Start{Initial: batch.At(opens)})
		time.Sleep(time.Hour)
		s.ahead = -time.Minute // ours has been set on by a minute
		s.beforeCursor = func(sls.From) { s.least, s.most = -time.Minute-time.Millisecond, -time.Minute+time.Millisecond }
		time.Sleep(time.Second)
		c := r.read()
		if c.Next != "" || c.Pause < 58*time.Second || c.Pause > time.Minute {
			t.Errorf("it goes on at %q after %v", c.Next, c.Pause)
		}
		s.put(0, 3)
		time.Sleep(c.Pause)
		s.put(0, 2)
		got, _ := r.all()
		same(t, "read", got, []string{"3", "4"})
	})
}

// TestGapUpToTheFuture: Options.Expired may be a time in the future too. The reader waits for it, whatever
// the age of the shard.
func TestGapUpToTheFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, 1, slsserver.Config{})
		s.put('0', 10, sls.PutOptions{})
		a := s.work(false, batch.Options[Group]{})
		time.Sleep(5 * time.Second)
		a.stop()
		s.put('0', 10, sls.PutOptions{})
		must(t, s.server.Expire("p", testLog, 0, 15))
		b := s.work(false, batch.Options[Group]{Expired: batch.At(time.Now().Add(time.Minute))})
		time.Sleep(50 * time.Second)
		s.put('0', 10, sls.PutOptions{})
		time.Sleep(15 * time.Second)
		s.committed(0, s.at(0, sls.End))
		s.put('0', 5, sls.PutOptions{})
		time.Sleep(5 * time.Second)
		b.stop()
		b.has(0, count(30, 35)...)
		if len(b.gaps) != 1 {
			t.Errorf("gaps: %+v", b.gaps)
		}
	})
}

// TestChildrenOfShardsThatWaited: a shard waits for a time in the future and is split. Its children begin at
// that time too, even if they are granted later, because the group reads their parent first.
func TestChildrenOfShardsThatWaited(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := serve(t, 2, slsserver.Config{}, func(c *sls.Config) { c.Ordered = ordered })
			must(t, s.Create(t.Context()))
			s.put('0', 10, sls.PutOptions{})
			opens := time.Now().Add(10 * time.Minute)
			w := s.work(false, batch.Options[Group]{Initial: batch.At(opens)})
			time.Sleep(time.Minute)
			s.split(0, "4")
			s.put('0', 10, sls.PutOptions{})
			time.Sleep(time.Until(opens))
			s.stream(2 * time.Second)
			time.Sleep(30 * time.Second)
			s.stream(time.Second)
			time.Sleep(5 * time.Second)
			w.stop()
			same(t, fmt.Sprintf("ordered %v: handled", ordered), fmtAll(all(w)), fmtAll(count(20, s.number)))
		})
	}
}
