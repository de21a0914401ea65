package batch_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// If a commit fails with an error made with Halt, the shard is halted.
func TestACommitCanHalt(t *testing.T) {
	bubble(t, "halt", func(t *testing.T) {
		src := newTape(10)
		r := newRig(t, src).handle(nil, batch.Options[int]{})
		saves := 0
		r.store.set(func(s *store) {
			s.fail = func(processor.Position) error { saves++; return processor.Halt(errBad) }
		})
		r.start(1)
		time.Sleep(time.Hour)
		synctest.Wait()
		if !r.run.Status().Halted || !errors.Is(r.halted, errBad) {
			t.Errorf("halted by %v, want it halted by %v", r.halted, errBad)
		}
		if saves > 10 {
			t.Errorf("%d commits were tried, want few", saves)
		}
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
	})
}

// never is an interval that does not come.
const never = 1000 * time.Hour

// path is a way to a commit. Its batches are of ten items, and the third one is never
// acknowledged.
type path struct {
	name    string
	options batch.Options[int]
	first   int // items that there are at the beginning
	closed  bool
	early   processor.Position // what is in the store after a minute
	cause   error              // of the revocation then
}

var paths = []path{
	{"timer", batch.Options[int]{}, 60, false, "20", processor.ErrRevoked},
	{"number", batch.Options[int]{CommitInterval: never, CommitItems: 20}, 60, false, "20", processor.ErrRevoked},
	{"idle", batch.Options[int]{CommitInterval: never}, 20, false, "20", processor.ErrRevoked},
	{"revoke", batch.Options[int]{CommitInterval: never}, 60, false, "", processor.ErrRevoked},
	{"shutdown", batch.Options[int]{CommitInterval: never}, 60, false, "", processor.ErrShutdown},
	{"end of shard", batch.Options[int]{CommitInterval: never}, 30, true, "", processor.ErrRevoked},
}

// TestOnlyAcknowledgedIsCommitted combines each reason for a commit with each way in which a batch can
// fail. The next owner begins with exactly that batch.
func TestOnlyAcknowledgedIsCommitted(t *testing.T) {
	for _, p := range paths {
		for _, e := range endings {
			for _, concurrency := range []int{1, 3} {
				name := fmt.Sprintf("%s/%s/%d at a time", p.name, e.name, concurrency)
				bubble(t, name, func(t *testing.T) { tryPath(t, p, e, concurrency) })
			}
		}
	}
}

func tryPath(t *testing.T, p path, e ending, concurrency int) {
	src := newTape(p.first)
	src.perRead, src.closed = 10, p.closed
	r := newRig(t, src)
	l := r.watch()
	o := p.options
	o.Concurrency, o.Timeout = concurrency, e.timeout
	r.handle(l.handler(20, e), o).start(1)
	time.Sleep(time.Minute)
	if got := r.store.last(); got != p.early {
		t.Errorf("after a minute %q is in the store, want %q", got, p.early)
	}
	if p.first == 20 {
		src.add(40)
		time.Sleep(time.Minute)
	}
	r.run.Revoke(p.cause)
	time.Sleep(30 * time.Second)
	r.run.Cancel(p.cause)
	if got := r.finish(); got != shardset.OutcomeReleased {
		t.Errorf("the outcome is %v, want released", got)
	}
	if got := r.store.last(); got != "20" {
		t.Errorf("in the end %q is in the store, want 20", got)
	}

	src.set(func(t *tape) { t.closed = true })
	next := r.heir().handle(nil, batch.Options[int]{}).start(2)
	if got := next.finish(); got != shardset.OutcomeClosed {
		t.Errorf("the outcome of the next owner is %v, want ended", got)
	}
	checkItems(t, "the next owner handled", next.got(), fromTo(20, src.end))
}

func TestCommitsInTime(t *testing.T) {
	const step = 10 * time.Second // a batch
	slow := func(context.Context, *batch.Batch[int]) error { time.Sleep(step); return nil }
	tests := []struct {
		name    string
		options batch.Options[int]
		at      time.Duration
		want    []processor.Position
	}{
		{"after the interval", batch.Options[int]{CommitInterval: 5 * time.Second}, step + 5*time.Second, []processor.Position{"10"}},
		{"not before it", batch.Options[int]{CommitInterval: 5 * time.Second}, step + 5*time.Second - 1, nil},
		{"together", batch.Options[int]{CommitInterval: 15 * time.Second}, 26 * time.Second, []processor.Position{"20"}},
		{"by number", batch.Options[int]{CommitInterval: never, CommitItems: 20}, 2 * step, []processor.Position{"20"}},
		{"not below the number", batch.Options[int]{CommitInterval: never, CommitItems: 20}, 2*step - 1, nil},
		{"by number again", batch.Options[int]{CommitInterval: never, CommitItems: 20}, 4 * step, []processor.Position{"20", "40"}},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(1000)
			src.perRead = 10
			r := newRig(t, src).handle(slow, tt.options).start(1)
			time.Sleep(tt.at)
			synctest.Wait()
			if got := r.store.committed(); !slices.Equal(got, tt.want) {
				t.Errorf("committed %q, want %q", got, tt.want)
			}
			r.run.Revoke(processor.ErrRevoked)
			r.finish()
		})
	}
}

// TestCommitsAtOnceWhenIdle: the commit does not wait for CommitInterval. It begins when a read has found
// nothing.
func TestCommitsAtOnceWhenIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10)
		r := newRig(t, src).handle(nil, batch.Options[int]{CommitInterval: never}).start(1)
		time.Sleep(batch.DefaultMinPause)
		synctest.Wait()
		if got := r.store.last(); got != "10" {
			t.Errorf("committed %q, want 10", got)
		}
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
	})
}

// TestCommitsWhatAFilterLeftNothingOf: the position moves over reads without items.
func TestCommitsWhatAFilterLeftNothingOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.perRead, src.drop = 10, func(int) bool { return true }
		r := newRig(t, src)
		r.watch()
		r.handle(nil, batch.Options[int]{}).start(1)
		time.Sleep(2 * time.Second)
		if got := r.store.last(); got != "100" {
			t.Errorf("committed %q, want 100", got)
		}
		src.add(50)
		time.Sleep(3 * time.Second)
		if got := r.store.last(); got != "150" {
			t.Errorf("committed %q, want 150", got)
		}
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
		checkItems(t, "handled", r.got(), nil)
	})
}

// TestAFilterCannotPassABadBatch: no position after a batch that fails is committed, even if a filter
// dropped all items after the batch.
func TestAFilterCannotPassABadBatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(100)
		src.perRead, src.drop = 10, func(n int) bool { return n >= 20 }
		r := newRig(t, src)
		l := r.watch()
		r.handle(l.handler(10, endings[0]), batch.Options[int]{}).start(1)
		time.Sleep(time.Minute)
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
		if got := r.store.committed(); !slices.Equal(got, []processor.Position{"10"}) {
			t.Errorf("committed %q, want 10 only", got)
		}
	})
}

// TestEndOfShardIsCommittedOnce: the end is committed when all items are acknowledged. Before that, no
// commit is repeated.
func TestEndOfShardIsCommittedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(20)
		src.perRead, src.closed = 10, true
		r := newRig(t, src).handle(func(_ context.Context, b *batch.Batch[int]) error {
			if b.Items[0] == 10 {
				time.Sleep(time.Minute)
			}
			return nil
		}, batch.Options[int]{}).start(1)
		if got := r.finish(); got != shardset.OutcomeClosed {
			t.Errorf("the outcome is %v, want ended", got)
		}
		if got := r.store.committed(); !slices.Equal(got, []processor.Position{"10", "20"}) {
			t.Errorf("committed %q, want 10 and 20", got)
		}
	})
}
