package runner_test

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// setWall returns at with its wall clock moved by d and its monotonic reading left
// alone, as if it had been read before the wall clock was set by -d. No method of
// time.Time separates the two, so this reaches inside, and checks what it made.
func setWall(t *testing.T, at time.Time, d time.Duration) time.Time {
	t.Helper()
	moved := at.Add(d)
	ext := reflect.ValueOf(&moved).Elem().FieldByName("ext")
	if !ext.IsValid() || ext.Kind() != reflect.Int64 {
		t.Skip("this Go keeps the monotonic reading elsewhere")
	}
	*(*int64)(unsafe.Pointer(ext.UnsafeAddr())) -= int64(d)
	if mono, wall := moved.Sub(at), moved.Round(0).Sub(at.Round(0)); mono != 0 || wall != d {
		t.Skipf("moving the wall clock by %v moved the monotonic reading by %v and the wall by %v", d, mono, wall)
	}
	return moved
}

func TestMemberLeaseIsALatch(t *testing.T) {
	start := time.Now()
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	term := runner.NewMemberLease(at(10))
	if !term.Valid(at(0)) || !term.Valid(at(10).Add(-1)) {
		t.Fatal("a lease of 10s is over before 10s")
	}
	if !term.Extend(at(9), at(20)) || !term.Valid(at(19)) || !term.NotAfter().Equal(at(20)) {
		t.Fatalf("a lease extended at 9s to 20s ends at %v", term.NotAfter().Sub(start))
	}
	if term.Valid(at(20)) {
		t.Error("a lease until 20s is valid at 20s")
	}
	// Somebody saw the end. A look at an older clock reading, and an answer that
	// came late, do not undo that.
	if term.Valid(at(19)) {
		t.Error("the lease came back at an older clock reading")
	}
	if term.Extend(at(19), at(40)) || term.Valid(at(19)) {
		t.Error("the lease was extended after its end")
	}
}

func TestMemberLeaseExtendFindsTheEnd(t *testing.T) {
	start := time.Now()
	term := runner.NewMemberLease(start.Add(10))
	if term.Extend(start.Add(10), start.Add(time.Hour)) {
		t.Error("a lease was extended at the instant of its end")
	}
	if term.Valid(start) {
		t.Error("a refused extension is not final")
	}
}

func TestMemberLeaseEnd(t *testing.T) {
	start := time.Now()
	term := runner.NewMemberLease(start.Add(time.Hour))
	term.End()
	if term.Valid(start) || term.Extend(start, start.Add(2*time.Hour)) {
		t.Error("a lease went on after End")
	}
}

// A wall clock that runs ahead, as after a suspend, ends the lease. One that is set back
// changes nothing. A lease that has ended stays so when the clock is set right again.
func TestMemberLeaseAndTheWallClock(t *testing.T) {
	start := time.Now()
	for _, c := range []struct {
		passed, wall time.Duration
		want         bool
	}{
		{passed: time.Second, wall: 8 * time.Second, want: true},
		{passed: time.Second, wall: 9 * time.Second, want: false},
		{passed: time.Second, wall: 365 * 24 * time.Hour, want: false},
		{passed: 9 * time.Second, wall: -365 * 24 * time.Hour, want: true},
		{passed: 10 * time.Second, wall: -365 * 24 * time.Hour, want: false},
	} {
		term := runner.NewMemberLease(start.Add(10 * time.Second))
		now := setWall(t, start.Add(c.passed), c.wall)
		if got := term.Valid(now); got != c.want {
			t.Errorf("a 10s lease, %v later with the wall clock set by %v: Valid = %v, want %v", c.passed, c.wall, got, c.want)
		}
		if got := term.Valid(start); got != c.want {
			t.Errorf("the same with the wall clock set right again: Valid = %v, want %v", got, c.want)
		}
	}
}

// The same through a run: the wall clock jumps while Process works. Not in a bubble,
// whose clock has no monotonic reading.
func TestWallClockJumpUnderARun(t *testing.T) {
	for _, c := range []struct {
		jump time.Duration
		want shardset.Outcome
		err  error
	}{
		{jump: time.Hour, want: shardset.OutcomeLost, err: processor.ErrLeaseLost},
		{jump: -time.Hour, want: shardset.OutcomeComplete},
	} {
		// The end of the lease was read before the jump.
		term := runner.NewMemberLease(time.Now().Add(time.Minute))
		work := processor.Func(func(ctx context.Context, s *processor.Shard) error {
			term.Extend(time.Now(), setWall(t, time.Now().Add(time.Minute), -c.jump))
			if got := s.Check(); got != c.err {
				t.Errorf("wall clock set by %v: Check() = %v, want %v", c.jump, got, c.err)
			}
			if err := s.Commit(context.WithoutCancel(ctx), "p"); !errors.Is(err, c.err) {
				t.Errorf("wall clock set by %v: Commit: %v, want %v", c.jump, err, c.err)
			}
			return nil
		})
		rn := runner.New(runner.Config{Factory: processor.FromFunc(work), Checkpoints: discard{}})
		rn.New(t.Context(), shardset.Lease{Epoch: 1}, 1, term).Do(func(got shardset.Outcome) {
			if got != c.want {
				t.Errorf("wall clock set by %v: outcome %v, want %v", c.jump, got, c.want)
			}
		})
	}
}

// Many goroutines check and extend the lease: after one has found it expired, no later
// call finds it valid.
func TestMemberLeaseConcurrently(t *testing.T) {
	start := time.Now()
	const ticks = 2000
	term := runner.NewMemberLease(start.Add(ticks / 2))
	var over atomic.Bool
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range ticks {
				now, wasOver := start.Add(time.Duration(i)), over.Load()
				var ok bool
				if g == 0 {
					ok = term.Extend(now, now.Add(ticks/4))
				} else {
					ok = term.Valid(now)
				}
				if wasOver && ok {
					t.Errorf("goroutine %d found the lease valid at tick %d, after its end was seen", g, i)
					return
				}
				if !ok {
					over.Store(true)
				}
			}
		})
	}
	wg.Wait()
	if !over.Load() {
		term.Valid(start.Add(time.Hour))
	}
	if term.Valid(start) || term.Extend(start, start.Add(time.Hour)) {
		t.Error("the lease is valid after its end was seen")
	}
}
