package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// ledger records every item that any worker processes, and who is inside a shard.
type ledger struct {
	t      *testing.T
	mu     sync.Mutex
	inside map[shardset.ID]string
	counts map[shardset.ID][]int // times that each item was processed
}

func newLedger(t *testing.T) *ledger {
	return &ledger{t: t, inside: map[shardset.ID]string{}, counts: map[shardset.ID][]int{}}
}

func (l *ledger) enter(s *processor.Shard, who string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if other := l.inside[s.ID()]; other != "" {
		l.t.Errorf("%s starts shard %s while %s is in it", who, s.ID(), other)
	}
	l.inside[s.ID()] = who
}

func (l *ledger) exit(s *processor.Shard) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.inside, s.ID())
}

func (l *ledger) item(id shardset.ID, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.counts[id]) <= n {
		l.counts[id] = append(l.counts[id], 0)
	}
	l.counts[id][n]++
}

// work processes an item every 10 ms and commits every tenth.
func (l *ledger) work(who string) processor.Factory {
	return processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
		l.enter(s, who)
		defer l.exit(s)
		p, _ := s.Resume()
		next, _ := strconv.Atoi(string(p))
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-s.Revoked():
				if next == 0 {
					return nil
				}
				return s.Commit(ctx, processor.Position(strconv.Itoa(next)))
			case <-tick.C:
			}
			l.item(s.ID(), next)
			next++
			if next%10 == 0 {
				if err := s.Commit(ctx, processor.Position(strconv.Itoa(next))); err != nil {
					return err
				}
			}
		}
	})
}

// check compares the counts with exactly once, or at least once.
func (l *ledger) check(exactly bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, counts := range l.counts {
		for n, c := range counts {
			if c == 0 || exactly && c != 1 {
				l.t.Errorf("item %d of shard %s was processed %d times", n, id, c)
				return
			}
		}
	}
}

// Workers come and go in good order: nothing is lost, nothing is done twice, and no
// shard is ever in two hands.
func TestPlannedHandoversLoseAndRepeatNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire, l := newWire(t, 16), newLedger(t)
		var workers []*worker
		for i := range 4 {
			name := fmt.Sprint("w", i)
			workers = append(workers, launch(t, name, wire.another(), coordinator.Config{Processor: l.work(name)}))
			time.Sleep(1700 * time.Millisecond)
		}
		for i, w := range workers[:3] { // a rolling restart under the same names
			if took, err := w.end(); err != nil || took > slack {
				t.Errorf("stopping returned %v after %v", err, took)
			}
			name := fmt.Sprint("w", i)
			workers[i] = launch(t, name, wire.another(), coordinator.Config{Processor: l.work(name)})
			time.Sleep(1300 * time.Millisecond)
		}
		total := 0
		for _, w := range workers {
			if n := len(w.running()); n != 4 {
				t.Errorf("a worker runs %d of 16 shards, want 4", n)
			}
			total += len(w.running())
		}
		for _, w := range workers {
			w.end()
		}
		if total != 16 {
			t.Errorf("%d shards ran in the end, want 16", total)
		}
		l.check(true)
	})
}

// A worker that dies without a word: its shards run elsewhere when its lease ends,
// and only what it had not committed is repeated.
func TestCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire, l := newWire(t, 8), newLedger(t)
		lineA := wire.another()
		a := launch(t, "a", lineA, coordinator.Config{Processor: l.work("a")})
		b := launch(t, "b", wire.another(), coordinator.Config{Processor: l.work("b")})
		time.Sleep(7 * time.Second)
		last := a.Status().LastHeartbeat
		lineA.setCut(true)
		time.Sleep(ttl + time.Second)
		if n := len(b.running()); n != 8 {
			t.Errorf("the survivor runs %d shards, want 8", n)
		}
		for _, e := range b.heard("started")[4:] {
			if late := e.At.Sub(last) - ttl; late > 50*time.Millisecond {
				t.Errorf("shard %s was taken over %v after the lease ended, want at most 50ms", e.ID, late)
			}
		}
		a.end()
		b.end()
		l.check(false)
	})
}

// A shard is wanted elsewhere and comes back while it drains: the drain ends, and a
// fresh processor starts from what the drain committed.
func TestReassignedWhileDraining(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var log []string
		note := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			log = append(log, fmt.Sprintf(format, args...))
		}
		cfg := coordinator.Config{Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			if s.ID() == id(0) {
				return idle(ctx, s)
			}
			p, _ := s.Resume()
			note("start %q", p)
			<-s.Revoked()
			time.Sleep(5 * time.Second) // drains slowly
			err := s.Commit(ctx, p+"x")
			note("end %v", err)
			return err
		})}
		draining := func(w *worker) bool {
			s := w.Status().Shards
			return len(s) == 2 && s[1].State == coordinator.ShardDraining
		}
		wire := newWire(t, 2)
		a := launch(t, "a", wire.another(), cfg)
		time.Sleep(time.Second)
		// A second member is promised one of the shards, and is gone a second later.
		b := launch(t, "b", wire.another(), coordinator.Config{})
		time.Sleep(time.Second)
		if !draining(a) {
			t.Errorf("revoked, it has %+v", a.Status().Shards)
		}
		b.end()
		time.Sleep(time.Second)
		if !draining(a) {
			t.Errorf("back in the answer, it has %+v, want the drain to go on", a.Status().Shards)
		}
		time.Sleep(5 * time.Second)
		mu.Lock()
		got := fmt.Sprint(log)
		mu.Unlock()
		if want := `[start "" end <nil> start "x"]`; got != want {
			t.Errorf("it went %s, want %s", got, want)
		}
		a.end()
	})
}

// A second process under the same name: the newer one wins, the older one is told.
func TestTwoProcessesUnderOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 2)
		old := launch(t, "same", wire.another(), coordinator.Config{})
		time.Sleep(5 * time.Second)
		young := launch(t, "same", wire.another(), coordinator.Config{})
		time.Sleep(5 * time.Second)
		<-old.done
		if !errors.Is(old.err, heartbeat.ErrReplaced) {
			t.Errorf("the older Run returned %v, want ErrReplaced", old.err)
		}
		if text := fmt.Sprint(old.err); strings.Count(text, `"same"`) != 1 || !strings.Contains(text, "MemberSuffix") {
			t.Errorf("the older Run returned %q, want the name once, and the cure", text)
		}
		if n := len(young.running()); n != 2 {
			t.Errorf("the newer one runs %d shards, want 2", n)
		}
		if _, err := young.end(); err != nil {
			t.Errorf("the newer Run returned %v", err)
		}
	})
}

// A restarted process takes the shards of its name back at once, without waiting for
// the lease of the one that died.
func TestRestartUnderTheSameName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 4)
		line := wire.another()
		dead := launch(t, "same", line, coordinator.Config{})
		time.Sleep(5 * time.Second)
		line.setCut(true)
		again := launch(t, "same", wire.another(), coordinator.Config{})
		time.Sleep(100 * time.Millisecond)
		if n := len(again.running()); n != 4 {
			t.Errorf("%d shards run again at once, want 4", n)
		}
		dead.end()
		again.end()
	})
}

// A planned move takes the round trips that it needs and no tick: in fake time, where
// calls take none, only the few milliseconds for which wake-ups wait for each other.
func TestAPlannedMoveTakesMilliseconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := newWire(t, 16)
		a := launch(t, "a", wire.another(), coordinator.Config{})
		time.Sleep(5*time.Second + 123*time.Millisecond)
		b := launch(t, "b", wire.another(), coordinator.Config{})
		time.Sleep(time.Second)
		stopped := map[shardset.ID]time.Time{}
		for _, e := range a.heard("stopped") {
			stopped[e.ID] = e.At
		}
		started := b.heard("started")
		if len(started) != 8 {
			t.Fatalf("%d shards moved, want 8", len(started))
		}
		for _, e := range started {
			if pause := e.At.Sub(stopped[e.ID]); pause < 0 || pause > 10*time.Millisecond {
				t.Errorf("shard %s paused for %v, want at most 10ms", e.ID, pause)
			}
		}
		a.end()
		b.end()
	})
}
