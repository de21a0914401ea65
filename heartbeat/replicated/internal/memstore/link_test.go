package memstore

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// bench is a store with a sound link and another link, which tests make faulty.
type bench struct {
	*testing.T
	store        *Store
	sound, other *Link
}

func onBench(t *testing.T, run func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		m := New()
		run(&bench{T: t, store: m, sound: m.Dial("sound"), other: m.Dial("other")})
	})
}

// write swaps over the current version.
func (b *bench) write(l *Link, k replicated.Key, data string, within time.Duration) (took time.Duration, err error) {
	ctx, cancel := context.WithTimeout(b.Context(), within)
	defer cancel()
	start := time.Now()
	_, err = l.Swap(ctx, k, b.store.Value(k).Revision, []byte(data))
	return time.Since(start), err
}

// is fails the test unless the record a has this value in the store.
func (b *bench) is(want string) {
	b.Helper()
	if got := string(b.store.Value(record("a")).Data); got != want {
		b.Errorf("the record is %q, want %q", got, want)
	}
}

// after fails the test unless a call took this long and ended with this error.
func (b *bench) after(want time.Duration, wantErr error) func(took time.Duration, err error) {
	return func(took time.Duration, err error) {
		b.Helper()
		if took != want || !errors.Is(err, wantErr) {
			b.Errorf("the call took %v and returned %v, want %v and %v", took, err, want, wantErr)
		}
	}
}

const second = time.Second

var (
	document = replicated.Key{Kind: replicated.KindDocument}
	// cut is a link that carries nothing either way, and does not break.
	cut = Faults{DropRequests: true, DropAnswers: true, HoldWatches: true}
)

func record(name string) replicated.Key {
	return replicated.Key{Kind: replicated.KindRecord, Name: name}
}

func TestLinkLatency(t *testing.T) {
	onBench(t, func(b *bench) {
		b.other.Set(Faults{MinLatency: 10 * time.Millisecond, MaxLatency: 10 * time.Millisecond})
		b.after(10*time.Millisecond, nil)(b.write(b.other, record("a"), "slow", second))
		b.is("slow")
		b.after(7*time.Millisecond, context.DeadlineExceeded)(b.write(b.other, record("a"), "answer too late", 7*time.Millisecond))
		b.is("answer too late")
		outcomes := map[string]bool{}
		for range 30 {
			b.after(2*time.Millisecond, context.DeadlineExceeded)(b.write(b.other, record("a"), "maybe", 2*time.Millisecond))
			outcomes[string(b.store.Value(record("a")).Data)] = true
			_, _ = b.write(b.sound, record("a"), "not", second)
		}
		if !outcomes["maybe"] || !outcomes["not"] {
			b.Errorf("calls that ended on their way had the outcomes %v, want both", outcomes)
		}
		b.other.Set(Faults{MinLatency: time.Millisecond, MaxLatency: 5 * time.Millisecond})
		times := map[time.Duration]bool{}
		for range 20 {
			took, err := b.write(b.other, record("a"), "x", second)
			if err != nil || took < time.Millisecond/2 || took > 5*time.Millisecond {
				b.Errorf("a call of 1 to 5 ms took %v, %v", took, err)
			}
			times[took] = true
		}
		if len(times) < 10 {
			b.Errorf("20 calls took %d different times", len(times))
		}
	})
}

func TestLinkCutEachWay(t *testing.T) {
	onBench(t, func(b *bench) {
		_, _ = b.write(b.sound, record("a"), "first", second)
		b.other.Set(Faults{DropRequests: true})
		b.after(second, context.DeadlineExceeded)(b.write(b.other, record("a"), "never arrives", second))
		b.is("first")
		b.other.Set(Faults{DropAnswers: true, HoldWatches: true})
		b.after(second, context.DeadlineExceeded)(b.write(b.other, record("a"), "arrives", second))
		b.is("arrives")
		b.other.Set(cut)
		b.after(second, context.DeadlineExceeded)(b.write(b.other, record("a"), "never arrives", second))
		b.other.Set(Faults{})
		b.is("arrives")
		b.after(0, nil)(b.write(b.other, record("a"), "healed", second))
	})
}

// A held request is made when the fault ends, also if its caller has given up. A caller that
// still waits gets the answer.
func TestLinkHoldsRequests(t *testing.T) {
	onBench(t, func(b *bench) {
		_, _ = b.write(b.sound, record("a"), "first", second)
		b.other.Set(Faults{HoldRequests: true})
		b.after(second, context.DeadlineExceeded)(b.write(b.other, record("a"), "late", second))
		b.is("first")
		b.other.Set(Faults{})
		b.is("late")
		b.other.Set(Faults{HoldRequests: true})
		time.AfterFunc(second/2, func() { b.other.Set(Faults{}) })
		b.after(second/2, nil)(b.write(b.other, record("a"), "waited", second))
		b.other.Set(Faults{HoldRequests: true})
		b.after(second, context.DeadlineExceeded)(b.write(b.other, record("a"), "lost with the line", second))
		b.other.Set(Faults{DropRequests: true})
		b.other.Set(Faults{})
		b.is("waited")
	})
}

// A late request meets the conflict that it would have met in time.
func TestLinkHeldRequestsConflict(t *testing.T) {
	onBench(t, func(b *bench) {
		b.other.Set(Faults{HoldRequests: true})
		_, _ = b.write(b.other, record("a"), "late", second)
		_, _ = b.write(b.sound, record("a"), "meanwhile", second)
		b.other.Set(Faults{})
		b.is("meanwhile")
	})
}

func TestLinkFrozen(t *testing.T) {
	onBench(t, func(b *bench) {
		b.other.Set(Faults{Frozen: true})
		time.AfterFunc(10*second, func() { b.other.Set(Faults{}) })
		took, err := b.write(b.other, record("a"), "x", second)
		if took != 10*second {
			b.Errorf("a frozen process went on after %v, %v", took, err)
		}
		b.other.Set(Faults{MinLatency: 2 * time.Second, MaxLatency: 2 * time.Second})
		time.AfterFunc(3*second/2, func() { b.other.Set(Faults{Frozen: true}) })
		time.AfterFunc(10*second, func() { b.other.Set(Faults{}) })
		took, err = b.write(b.other, record("a"), "frozen on the way back", 5*second)
		b.is("frozen on the way back")
		if took != 10*second || !errors.Is(err, context.DeadlineExceeded) {
			b.Errorf("a process frozen before the answer came went on after %v, %v", took, err)
		}
	})
}

func TestLinkRefusals(t *testing.T) {
	onBench(t, func(b *bench) {
		b.other.Set(Faults{LostAnswers: 1})
		b.after(0, ErrLost)(b.write(b.other, record("a"), "made", second))
		b.is("made")
		b.other.Set(Faults{Conflicts: 1})
		b.after(0, replicated.ErrConflict)(b.write(b.other, record("a"), "refused", second))
		b.is("made")
		b.other.Set(Faults{Down: true})
		b.after(0, ErrDown)(b.write(b.other, record("a"), "refused", second))
		b.store.SetDown(true)
		b.after(0, ErrDown)(b.write(b.sound, record("a"), "refused", second))
		b.store.SetDown(false)
		b.is("made")
		lost := 0
		b.other.Set(Faults{LostAnswers: 0.3})
		for range 200 {
			if _, err := b.write(b.other, record("a"), "x", second); err != nil {
				lost++
			}
		}
		if lost < 30 || lost > 90 {
			b.Errorf("of 200 answers %d were lost, want about 60", lost)
		}
		if _, err := b.sound.Swap(b.Context(), record("b"), 0, nil); err == nil {
			b.Error("a value of no bytes was taken")
		}
	})
}

func TestLinkStaleReads(t *testing.T) {
	onBench(t, func(b *bench) {
		b.other.Set(Faults{Stale: second})
		for _, data := range []string{"first", "second", "third"} {
			_, _ = b.write(b.sound, record("a"), data, second)
			time.Sleep(second / 2)
		}
		for _, want := range []string{"second", "third", "third"} { // the third is half a second old
			v, err := b.other.Get(b.Context(), record("a"))
			if err != nil || string(v.Data) != want {
				b.Errorf("a read that is a second old: %q, %v; want %q", v.Data, err, want)
			}
			time.Sleep(second / 2)
		}
		v, _ := b.other.Get(b.Context(), record("never"))
		if v.Revision != 0 {
			b.Errorf("a key that never was: %v", v)
		}
	})
}

func TestMemoryCounts(t *testing.T) {
	onBench(t, func(b *bench) {
		r, _ := b.sound.Swap(b.Context(), record("a"), 0, []byte("x"))
		r, _ = Clocked{b.sound}.SwapQuietly(b.Context(), record("a"), r, []byte("x"))
		_, _ = b.sound.Swap(b.Context(), record("a"), r+1, []byte("x"))
		_ = b.sound.Delete(b.Context(), record("a"), r)
		if got, want := b.store.Counts(replicated.KindRecord), (Counts{Writes: 3, Quiet: 1, Conflicts: 1}); got != want {
			b.Errorf("counted %+v, want %+v", got, want)
		}
		if got := b.store.Counts(replicated.KindDocument); got != (Counts{}) {
			b.Errorf("counted %+v of no documents", got)
		}
	})
}
