package batch_test

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

func TestTheBoundsArePassedToTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		until := time.Now().Add(time.Hour)
		src := newTape(10)
		r := newRig(t, src).handle(nil, batch.Options[int]{
			Until: until, Initial: batch.Latest(),
			UntilPosition: func(id shardset.ID) processor.Position {
				if id != testShard {
					t.Errorf("asked for the bound of %v", id)
				}
				return "30"
			},
		}).start(1)
		got := src.opens[0]
		if got.Initial != batch.Latest() || !got.Until.Equal(until) || got.UntilPosition != "30" || got.Position != "" || got.Gap || got.Logger == nil {
			t.Errorf("opened at %+v, want the latest, until %v and 30, with a logger", got, until)
		}
		r.endWith(processor.ErrLeaseLost)
	})
}

// boundedTape is a tape that gets one item a second from now on, up to a number of items.
func boundedTape(items int) *tape {
	src := newTape(items)
	begin := time.Now()
	src.since = func(at time.Time) int { return int(at.Sub(begin) / time.Second) }
	src.perRead = 3
	return src
}

func TestABoundedRunEnds(t *testing.T) {
	keep := func(int) bool { return false }
	all := func(int) bool { return true }
	for _, c := range []struct {
		name   string
		items  int
		resume processor.Position
		until  int
		byTime bool
		drop   func(int) bool
		want   []int
	}{
		{"at a position", 100, "", 20, false, keep, upTo(20)},
		{"at a time", 100, "", 20, true, keep, upTo(20)},
		{"where the shard ends just now", 20, "", 20, false, keep, upTo(20)},
		{"from a checkpoint", 100, "15", 20, false, keep, upTo(20)[15:]},
		{"where it was resumed", 100, "20", 20, false, keep, nil},
		{"behind a filter that drops everything", 100, "", 20, true, all, nil},
		{"behind a filter that drops the last", 100, "", 20, true, func(n int) bool { return n > 10 }, upTo(11)},
		{"without any data", 0, "", 0, true, keep, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := boundedTape(c.items)
				src.drop = c.drop
				r := newRig(t, src)
				r.resumeAt(c.resume)
				o := batch.Options[int]{}
				if c.byTime {
					o.Until = time.Now().Add(time.Duration(c.until) * time.Second)
				} else {
					o.UntilPosition = func(shardset.ID) processor.Position { return position(c.until) }
				}
				r.handle(nil, o).start(2)
				if o := r.finish(); o != shardset.OutcomeComplete {
					t.Errorf("the outcome is %v, want done", o)
				}
				if got := r.got(); !slices.Equal(got, c.want) {
					t.Errorf("handled %v, want %v", got, c.want)
				}
				if p := r.store.last(); p != position(c.until) { // by this run, even if it was before
					t.Errorf("committed %q, want %d", p, c.until)
				}
			})
		})
	}
}

// resumeAt makes the next run begin at p.
func (r *rig) resumeAt(p processor.Position) {
	if p == "" {
		return
	}
	owner := processor.Owner{Member: "m0", Instance: 1, Epochs: true, Lease: shardset.Lease{ID: testShard, Epoch: 1, NotAfter: r.until}}
	if _, _, err := r.store.Load(r.t.Context(), owner); err != nil {
		r.t.Fatal(err)
	}
	if err := r.store.MemoryCheckpoints.Save(r.t.Context(), owner, p); err != nil {
		r.t.Fatal(err)
	}
}

// A bounded run ends only when everything that it read is handled.
func TestABoundedRunWaitsForItsBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		r := newRig(t, newTape(10)).handle(func(context.Context, *batch.Batch[int]) error {
			if tries++; tries < 20 {
				return errLine
			}
			return nil
		}, batch.Options[int]{UntilPosition: func(shardset.ID) processor.Position { return "10" }}).start(1)
		time.Sleep(time.Minute)
		if p := r.store.last(); p != "" {
			t.Errorf("committed %q before it was handled", p)
		}
		if o, p := r.finish(), r.store.last(); o != shardset.OutcomeComplete || p != "10" {
			t.Errorf("the outcome is %v at %q, want done at 10", o, p)
		}
	})
}

// A bounded run ends only when its end is committed, however long the store takes.
func TestABoundedRunWaitsForItsCommit(t *testing.T) {
	for _, closed := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			src := newTape(10)
			src.closed = closed
			r := newRig(t, src)
			o, want := batch.Options[int]{}, shardset.OutcomeClosed
			if !closed {
				o.UntilPosition, want = func(shardset.ID) processor.Position { return "10" }, shardset.OutcomeComplete
			}
			tries := 0
			r.store.fail = func(processor.Position) error {
				if tries++; tries < 12 {
					return errLine
				}
				return nil
			}
			r.handle(nil, o).start(1)
			if o, p := r.finish(), r.store.last(); o != want || p != "10" {
				t.Errorf("the outcome is %v with %q committed, want %v with 10", o, p, want)
			}
			if got := r.got(); !slices.Equal(got, upTo(10)) || len(r.failed) != 0 {
				t.Errorf("handled %v, after failures %v; want each item once and none", got, r.failed)
			}
		})
	}
}

// untold is a reader that sets Next only when it has moved.
type untold struct{ batch.Reader[int] }

func (r untold) Read(ctx context.Context, l batch.Limit) (batch.Chunk[int], error) {
	at := r.Position()
	c, err := r.Reader.Read(ctx, l)
	if c.Next == at {
		c.Next = ""
	}
	return c, err
}

func TestAClosedShardIsCommittedToItsEnd(t *testing.T) {
	for _, c := range []struct {
		name   string
		items  int
		resume processor.Position
		drop   bool
		quiet  bool // the end comes without a position
	}{
		{name: "with data", items: 10},
		{name: "that never held any", items: 0},
		{name: "that never held any, without a word about where", items: 0, quiet: true},
		{name: "behind a filter", items: 10, drop: true},
		{name: "where it was resumed", items: 10, resume: "10"},
		{name: "where it was resumed, without a word about where", items: 10, resume: "10", quiet: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				src := newTape(c.items)
				src.closed = true
				src.drop = func(int) bool { return c.drop }
				if c.quiet {
					src.wrap = func(r batch.Reader[int]) batch.Reader[int] { return untold{r} }
				}
				begin := time.Now()
				r := newRig(t, src)
				r.resumeAt(c.resume)
				r.handle(nil, batch.Options[int]{CommitInterval: time.Hour}).start(2)
				if o := r.finish(); o != shardset.OutcomeClosed {
					t.Errorf("the outcome is %v, want ended", o)
				}
				if d := time.Since(begin); d != 0 {
					t.Errorf("it took %v, want none", d)
				}
				if p := r.store.last(); p != position(c.items) { // by this run, even if it was before
					t.Errorf("committed %q, want %d", p, c.items)
				}
			})
		})
	}
}

func TestLatestCommitsWhereItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(50)
		r := newRig(t, src).handle(nil, batch.Options[int]{Initial: batch.Latest(), CommitInterval: time.Hour}).start(1)
		time.Sleep(time.Second)
		if p := r.store.last(); p != "50" {
			t.Errorf("committed %q, want 50 at once", p)
		}
		r.endWith(processor.ErrLeaseLost)
		src.add(5) // between the two owners
		r.start(2)
		time.Sleep(time.Minute)
		if got := r.got(); !slices.Equal(got, upTo(55)[50:]) {
			t.Errorf("handled %v, want what came between the owners", got)
		}
		r.endWith(processor.ErrLeaseLost)
	})
}
