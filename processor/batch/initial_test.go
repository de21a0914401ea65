package batch_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// The position where a shard without a checkpoint begins is committed at once, even if no items come. For
// Earliest this is not necessary: a restart finds the same position again.
func TestWhereAShardBeginsIsCommitted(t *testing.T) {
	for name, c := range map[string]struct {
		initial batch.Initial
		want    processor.Position
	}{
		"latest":       {batch.Latest(), "50"},
		"a time":       {batch.At(time.Unix(20, 0)), "20"},
		"a later time": {batch.At(time.Unix(50, 0)), "50"},
		"earliest":     {batch.Earliest(), ""},
		"not set":      {batch.Initial{}, ""},
	} {
		bubble(t, name, func(t *testing.T) {
			src := newTape(50)
			src.since = func(at time.Time) int { return int(at.Unix()) }
			src.delay = time.Hour // of the first read
			r := newRig(t, src).handle(nil, batch.Options[int]{Initial: c.initial, CommitInterval: time.Hour}).start(1)
			if p := r.store.last(); p != c.want {
				t.Errorf("committed %q, want %q", p, c.want)
			}
			if list := r.store.committed(); len(list) > 1 {
				t.Errorf("committed %q", list)
			}
			r.endWith(processor.ErrLeaseLost)
		})
	}
}

// lateStart is a reader that learns where it begins by its second read, like one that waits
// for a time in the future.
type lateStart struct {
	batch.Reader[int]
	pause time.Duration
	reads int
}

func (r *lateStart) Position() processor.Position {
	if r.reads < 2 {
		return ""
	}
	return r.Reader.Position()
}

func (r *lateStart) Read(ctx context.Context, l batch.Limit) (batch.Chunk[int], error) {
	switch r.reads++; r.reads {
	case 1:
		return batch.Chunk[int]{Pause: r.pause}, nil
	case 2:
		return batch.Chunk[int]{Next: r.Position(), More: true}, nil
	}
	return r.Reader.Read(ctx, l)
}

// A reader may wait before it knows where it begins. Meanwhile there is no trouble, and nothing is
// committed. Then the position is committed before any item is handled.
func TestABeginningThatIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10)
		src.begin, src.since = 4, func(time.Time) int { return 4 }
		src.wrap = func(r batch.Reader[int]) batch.Reader[int] { return &lateStart{Reader: r, pause: time.Hour} }
		handle := func(ctx context.Context, _ *batch.Batch[int]) error { <-ctx.Done(); return ctx.Err() }
		r := newRig(t, src).handle(handle, batch.Options[int]{Initial: batch.At(time.Unix(9e9, 0)), CommitInterval: time.Hour}).start(1)
		time.Sleep(59 * time.Minute)
		if s := r.run.Status(); s.Progress.Trouble != nil || !s.Progress.CaughtUp || s.Progress.Reading != "" || r.store.last() != "" {
			t.Errorf("while it waits the status is %+v, with %q committed", s.Progress, r.store.last())
		}
		time.Sleep(time.Minute + time.Second)
		synctest.Wait()
		if p := r.store.committed(); !slices.Equal(p, []processor.Position{"4"}) {
			t.Errorf("after the wait %q is committed, want 4", p)
		}
		r.endWith(processor.ErrLeaseLost)
	})
}

// Start says whether the shard begins after a gap, and can list the store's
// other checkpoints.
func TestWhatASourceIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.begin = 50
		once := true
		src.onRead = func(context.Context) {
			if once {
				once = false
				panic("once") // it is opened again, at the place behind the gap
			}
		}
		src.wrap = func(r batch.Reader[int]) batch.Reader[int] { return blind{r} }
		r := newRig(t, src)
		r.resumeAt("10")
		r.handle(nil, batch.Options[int]{Initial: batch.Latest(), Expired: batch.Earliest()}).start(2)
		time.Sleep(time.Minute)
		synctest.Wait()
		var gaps []bool
		for _, start := range src.opens {
			gaps = append(gaps, start.Gap)
		}
		gaps = slices.Compact(gaps[:len(gaps)-1]) // it is asked several times whether the position has expired
		if !slices.Equal(gaps, []bool{false, true}) || !src.opens[len(src.opens)-1].Gap {
			t.Errorf("the openings of which it was said that they are behind a gap: %v", gaps)
		}
		list, err := src.opens[0].Checkpoints(t.Context())
		if err != nil || len(list) != 1 || list[0].ID != testShard || list[0].Position != r.store.last() {
			t.Errorf("the checkpoints are %+v, %v", list, err)
		}
		r.quit()

		plain := newTape(10)
		r = newRig(t, plain).handle(nil, batch.Options[int]{})
		inner := r.store
		r.checkpoints = struct{ processor.Checkpoints }{inner}
		r.start(1)
		if _, err := plain.opens[0].Checkpoints(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("a store that cannot list: %v", err)
		}
		r.quit()
	})
}
