package batch_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// edited is a reader whose chunks are changed on the way.
type edited struct {
	batch.Reader[int]
	tape *tape
	edit func(c *batch.Chunk[int])
}

func (e edited) Read(ctx context.Context, l batch.Limit) (batch.Chunk[int], error) {
	c, err := e.Reader.Read(ctx, l)
	if err == nil {
		e.tape.set(func(*tape) { e.edit(&c) })
	}
	return c, err
}

// edit has each chunk of a tape changed.
func (t *tape) edit(f func(c *batch.Chunk[int])) {
	t.wrap = func(r batch.Reader[int]) batch.Reader[int] { return edited{r, t, f} }
}

// A position that has not moved is committed again when the source asks for it, and only
// then, wherever it came from.
func TestRecommit(t *testing.T) {
	for name, c := range map[string]struct {
		items  int
		resume bool
		want   []processor.Position
	}{
		"after data":     {5, false, []processor.Position{"5", "5", "5"}},
		"resumed":        {5, true, []processor.Position{"5", "5"}},
		"never any data": {0, false, []processor.Position{"0", "0"}},
	} {
		bubble(t, name, func(t *testing.T) {
			src := newTape(c.items)
			ask := false
			src.edit(func(c *batch.Chunk[int]) { c.Recommit, ask = ask, false })
			r := newRig(t, src).handle(nil, batch.Options[int]{}).start(1)
			if c.resume {
				time.Sleep(time.Minute)
				r.quit()
				r.store.set(func(s *store) { s.saves = nil })
				r = r.heir().handle(nil, batch.Options[int]{}).start(2)
			}
			for range 2 {
				time.Sleep(time.Minute)
				src.set(func(*tape) { ask = true })
			}
			time.Sleep(time.Minute)
			if got := r.store.committed(); !slices.Equal(got, c.want) {
				t.Errorf("committed %v, want %v", got, c.want)
			}
			r.quit()
		})
	}
}

// A Recommit that comes while a commit is running leads to another commit after that one.
func TestRecommitDuringACommit(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		src := newTape(5)
		ask := false
		src.edit(func(c *batch.Chunk[int]) { c.Recommit, ask = ask, false })
		r := newRig(t, src).handle(nil, batch.Options[int]{})
		hang := make(chan struct{})
		r.store.set(func(s *store) { s.hang = hang })
		r.start(1)
		time.Sleep(2 * time.Second) // the commit of 5 is under way
		src.set(func(*tape) { ask = true })
		time.Sleep(2 * time.Second)
		close(hang)
		time.Sleep(time.Minute)
		if got := r.store.committed(); !slices.Equal(got, []processor.Position{"5", "5"}) {
			t.Errorf("committed %v, want 5 twice", got)
		}
		r.quit()
	})
}

// One that fails is tried again.
func TestRecommitFails(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		src := newTape(5)
		ask := false
		src.edit(func(c *batch.Chunk[int]) { c.Recommit, ask = ask, false })
		r := newRig(t, src).handle(nil, batch.Options[int]{}).start(1)
		time.Sleep(time.Minute)
		tries := r.store.failing(3)
		src.set(func(*tape) { ask = true })
		time.Sleep(time.Minute)
		if got := r.store.committed(); tries() != 4 || !slices.Equal(got, []processor.Position{"5", "5"}) {
			t.Errorf("committed %v in %d tries, want 5 again in the fourth", got, tries())
		}
		r.quit()
	})
}

// Chunk.Trouble is shown until the next read, and delays nothing.
func TestTroubleBesideTheReading(t *testing.T) {
	bubble(t, "", func(t *testing.T) {
		src := newTape(5)
		var trouble error
		src.edit(func(c *batch.Chunk[int]) { c.Trouble = trouble })
		r := newRig(t, src).handle(nil, batch.Options[int]{}).start(1)
		for _, want := range []error{nil, errNo, nil} {
			src.set(func(*tape) { trouble = want })
			time.Sleep(2 * time.Second)
			src.add(5)
			time.Sleep(2 * time.Second)
			if got := r.run.Status().Progress.Trouble; got != want { //nolint:errorlint // it is this very value
				t.Errorf("the trouble is %v, want %v", got, want)
			}
		}
		if got := r.got(); !slices.Equal(got, upTo(20)) {
			t.Errorf("handled %v", got)
		}
		r.quit()
	})
}
