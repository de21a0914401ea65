package batch_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// In these tests commits fail. The last commit of a shard matters most: the next owner waits for it, and
// handles again what was not committed.

var errStore = errors.New("store is down")

// failing makes the store's next n saves fail; a negative n means all. It returns a function that
// counts them.
func (s *store) failing(n int) (tries func() int) {
	count := 0
	s.set(func(s *store) {
		s.fail = func(processor.Position) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if count++; n < 0 || count <= n {
				return errStore
			}
			return nil
		}
	})
	return func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return count
	}
}

func TestLastCommitIsTriedAgain(t *testing.T) {
	tests := []struct {
		name  string
		fails int
		want  processor.Position
		tries int
		bound time.Duration
	}{
		{"works", 0, "10", 1, 0},
		{"fails twice", 2, "10", 3, time.Second},
		{"fails for ever", -1, "", 5, 5 * time.Second},
	}
	for _, tt := range tests {
		bubble(t, tt.name, func(t *testing.T) {
			src := newTape(10)
			r := newRig(t, src).handle(nil, batch.Options[int]{CommitInterval: never}).start(1)
			tries := r.store.failing(tt.fails)
			r.run.Revoke(processor.ErrRevoked)
			begin := time.Now()
			if got := r.finish(); got != shardset.OutcomeReleased {
				t.Errorf("the outcome is %v, want released", got)
			}
			if took := time.Since(begin); took > tt.bound {
				t.Errorf("it took %v, want at most %v", took, tt.bound)
			}
			if got := r.store.last(); got != tt.want {
				t.Errorf("committed %q, want %q", got, tt.want)
			}
			if got := tries(); got != tt.tries {
				t.Errorf("the store was tried %d times, want %d", got, tt.tries)
			}
			if lost := len(r.failed) == 1 && errors.Is(r.failed[0], errStore); lost != (tt.want == "") {
				t.Errorf("the run failed with %v", r.failed)
			}
		})
	}
}

// TestLastCommitOfAStoreThatWasDown: failures before the revocation neither count nor delay the last
// commit.
func TestLastCommitOfAStoreThatWasDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10)
		r := newRig(t, src)
		tries := r.store.failing(-1)
		r.handle(nil, batch.Options[int]{}).start(1)
		time.Sleep(time.Minute)
		if got := tries(); got < 10 {
			t.Errorf("the store was tried %d times in a minute, want 10 at least", got)
		}
		r.store.failing(0)
		r.run.Revoke(processor.ErrRevoked)
		begin := time.Now()
		r.finish()
		if took := time.Since(begin); took != 0 {
			t.Errorf("it took %v, want no time", took)
		}
		if got := r.store.last(); got != "10" {
			t.Errorf("committed %q, want 10", got)
		}
	})
}

// TestLastCommitIsOfWhatWasFinishedLast: the loop has given up the last commit, and then a handler
// finishes another batch. The new position is committed.
func TestLastCommitIsOfWhatWasFinishedLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(20)
		src.perRead = 10
		r := newRig(t, src)
		tries := r.store.failing(5)
		r.handle(func(_ context.Context, b *batch.Batch[int]) error {
			if b.Items[0] == 10 {
				time.Sleep(30 * time.Second)
			}
			return nil
		}, batch.Options[int]{CommitInterval: never}).start(1)
		r.run.Revoke(processor.ErrRevoked)
		time.Sleep(25 * time.Second)
		if got := tries(); got != 5 {
			t.Errorf("the store was tried %d times, want 5", got)
		}
		r.finish()
		if got := r.store.last(); got != "20" {
			t.Errorf("committed %q, want 20", got)
		}
	})
}

// TestCommitIsTriedAgainWhileTheShardGoesOn keeps reading and handling meanwhile.
func TestCommitIsTriedAgainWhileTheShardGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(50)
		src.perRead = 10
		r := newRig(t, src)
		r.store.failing(3)
		r.handle(func(context.Context, *batch.Batch[int]) error { time.Sleep(time.Second); return nil },
			batch.Options[int]{CommitItems: 10, CommitInterval: never}).start(1)
		time.Sleep(10 * time.Second)
		checkItems(t, "handled", r.got(), upTo(50))
		if got := r.store.committed(); !slices.Contains(got, "50") {
			t.Errorf("committed %q, want 50 in the end", got)
		}
		r.run.Revoke(processor.ErrRevoked)
		r.finish()
		if r.failed != nil {
			t.Errorf("the run failed with %v", r.failed)
		}
	})
}

// TestAStoreThatPanicsHasStoredNothing: after a panic of the store, the commit is tried again, as after an
// error.
func TestAStoreThatPanicsHasStoredNothing(t *testing.T) {
	for name, end := range map[string]func(){"panics": func() { panic(errStore) }, "ends its goroutine": runtime.Goexit} {
		bubble(t, name, func(t *testing.T) {
			src := newTape(10)
			src.closed = true
			r := newRig(t, src)
			count := 0
			r.store.fail = func(processor.Position) error {
				if count++; count < 4 {
					end()
				}
				return nil
			}
			r.handle(nil, batch.Options[int]{}).start(1)
			if got := r.finish(); got != shardset.OutcomeClosed || count != 4 {
				t.Errorf("the outcome is %v after %d tries, want ended after 4", got, count)
			}
			if got := r.store.last(); got != "10" {
				t.Errorf("committed %q, want 10", got)
			}
		})
	}
}

// TestEndOfShardWaitsForItsCommit: Process returns ErrShardClosed only when the end is in the store,
// however long that takes.
func TestEndOfShardWaitsForItsCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10)
		src.closed = true
		r := newRig(t, src)
		r.store.failing(20)
		r.handle(nil, batch.Options[int]{}).start(1)
		if got := r.finish(); got != shardset.OutcomeClosed {
			t.Errorf("the outcome is %v, want ended", got)
		}
		if got := r.store.last(); got != "10" {
			t.Errorf("committed %q, want 10", got)
		}
	})
}

// TestEndOfShardWithoutItsCommitIsNotTheEnd: the last commit of a closed shard fails. The shard is
// released, and the next owner reads to its end again.
func TestEndOfShardWithoutItsCommitIsNotTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := newTape(10)
		src.closed = true
		r := newRig(t, src)
		r.store.failing(-1)
		r.handle(nil, batch.Options[int]{}).start(1)
		time.Sleep(time.Minute)
		r.run.Revoke(processor.ErrRevoked)
		if got := r.finish(); got != shardset.OutcomeReleased {
			t.Errorf("the outcome is %v, want released", got)
		}
		next := r.heir().handle(nil, batch.Options[int]{}).start(2)
		if got := next.finish(); got != shardset.OutcomeClosed {
			t.Errorf("the outcome of the next owner is %v, want ended", got)
		}
		checkItems(t, "the next owner handled", next.got(), upTo(10))
	})
}
