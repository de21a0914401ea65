package coordinator_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// numbers is a source whose shards have a few items each, read one at a time.
type numbers struct {
	items int
	read  func(ctx context.Context, id shardset.ID) // called in each Read; nil: nothing
}

type numbersReader struct {
	numbers
	id shardset.ID
	at int
}

func (n numbers) Open(_ context.Context, id shardset.ID, s batch.Start) (batch.Reader[int], error) {
	return &numbersReader{numbers: n, id: id, at: len(s.Position)}, nil
}
func (r *numbersReader) next() processor.Position {
	return processor.Position(strings.Repeat("x", r.at))
}
func (r *numbersReader) Position() processor.Position { return r.next() }
func (r *numbersReader) Close() error                 { return nil }
func (r *numbersReader) Read(ctx context.Context, _ batch.Limit) (batch.Chunk[int], error) {
	if r.read != nil {
		r.read(ctx, r.id)
	}
	if r.at >= r.items {
		return batch.Chunk[int]{}, nil
	}
	r.at++
	return batch.Chunk[int]{Items: []int{r.at}, Next: r.next(), Bytes: 8, More: r.at < r.items}, nil
}

// waitForRelease is a handler's place to hang, for the stacks to name.
func waitForRelease(release <-chan struct{}) { <-release }

// A handler that hangs is reported once, with its stack, and cleared when it goes on; when
// it hangs again it is reported again. Shards that wait for data are idle, however long.
func TestAHandlerThatHangsIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, seen := observer.New(zap.InfoLevel)
		release := make(chan struct{})
		w := launch(t, "a", newWire(t, 3), coordinator.Config{
			Logger: zap.New(core),
			Processor: batch.Handle(numbers{items: 2}, func(_ context.Context, b *batch.Batch[int]) error {
				if b.ID() == id(1) {
					waitForRelease(release)
				}
				return nil
			}, batch.Options[int]{}),
		})
		begin := time.Now()
		time.Sleep(5*time.Minute - 3*time.Second)
		if told := w.heard("stuck"); len(told) != 0 {
			t.Errorf("told %+v before its time", told)
		}
		time.Sleep(time.Hour)
		told := w.heard("stuck")
		if len(told) != 1 || told[0].ID != id(1) || !errors.Is(told[0].Err, processor.ErrNoProgress) || !strings.Contains(told[0].Err.Error(), "Handle") {
			t.Fatalf("told %+v, want shard 1 once, with its handler", told)
		}
		if late := told[0].At.Sub(begin) - 5*time.Minute; late > 2*interval {
			t.Errorf("told %v late", late)
		}
		s := w.Status()
		for i, sh := range s.Shards {
			want := coordinator.ShardRunning
			if i == 1 {
				want = coordinator.ShardStuck
			}
			if sh.State != want {
				t.Errorf("the status of shard %d is %+v", i, sh)
			}
		}
		if since := told[0].At.Sub(s.Shards[1].Since); since < 5*time.Minute || since > 5*time.Minute+2*interval {
			t.Errorf("it is stuck since %v before the hook, want five minutes", since)
		}
		if s.Counters.NoProgress != 1 || s.Counters.Stuck != 0 {
			t.Errorf("counted %v, want one without progress", s.Counters)
		}
		lines := seen.FilterMessageSnippet("no progress").All()
		if len(lines) != 1 || lines[0].Level != zap.ErrorLevel {
			t.Fatalf("logged %+v, want one error", lines)
		}
		f := lines[0].ContextMap()
		if stacks, _ := f["stacks"].(string); f["shard"] != "log/1" || !strings.Contains(stacks, "waitForRelease") || strings.Contains(stacks, "log/0") {
			t.Errorf("logged the fields %v, want shard 1 with the stacks of its goroutines alone", f)
		}
		release <- struct{}{}
		time.Sleep(time.Minute)
		if sh := w.Status().Shards[1]; sh.State == coordinator.ShardStuck || seen.FilterMessage("processor makes progress again").Len() != 1 {
			t.Errorf("after it went on the status is %+v", sh)
		}
		time.Sleep(time.Hour)
		if n := len(w.heard("stuck")); n != 2 {
			t.Errorf("told %d times, want again for the next batch", n)
		}
		close(release)
		w.end()
	})
}

// What hangs is named, whatever it is; what goes on or is idle is not.
func TestNoProgress(t *testing.T) {
	each := func(f func(context.Context, *processor.Shard) error) processor.Factory { return processor.FromFunc(f) }
	for name, c := range map[string]struct {
		work  func(release <-chan struct{}) processor.Factory
		after time.Duration // Config.NoProgressAfter
		want  string        // in the error; empty: it is not reported
	}{
		"a read": {work: func(release <-chan struct{}) processor.Factory {
			src := numbers{items: 2, read: func(context.Context, shardset.ID) { <-release }}
			return batch.Handle(src, func(context.Context, *batch.Batch[int]) error { return nil }, batch.Options[int]{})
		}, want: "Reader.Read"},
		"a timeout that is ignored": {work: func(release <-chan struct{}) processor.Factory {
			return batch.Handle(numbers{items: 2}, func(context.Context, *batch.Batch[int]) error { <-release; return nil },
				batch.Options[int]{Timeout: 3 * time.Second})
		}, want: "although its context has ended"},
		"one that acknowledges": {work: func(release <-chan struct{}) processor.Factory {
			return batch.Handle(numbers{items: 1}, func(_ context.Context, b *batch.Batch[int]) error {
				for {
					select {
					case <-release:
						return nil
					case <-time.After(4 * time.Minute):
						b.AckItem(0)
					}
				}
			}, batch.Options[int]{})
		}},
		"a factory": {work: func(release <-chan struct{}) processor.Factory {
			return func(context.Context, shardset.Lease) (processor.Processor, error) { <-release; return nil, errBad }
		}, want: "Factory"},
		"without a sign": {work: func(<-chan struct{}) processor.Factory {
			return each(func(_ context.Context, s *processor.Shard) error { <-s.Revoked(); return nil })
		}, want: "CaughtUp"},
		"never": {after: -1, work: func(<-chan struct{}) processor.Factory {
			return each(func(_ context.Context, s *processor.Shard) error { <-s.Revoked(); return nil })
		}},
		"idle": {work: func(<-chan struct{}) processor.Factory { return each(idle) }},
		"checks": {work: func(<-chan struct{}) processor.Factory {
			return each(func(_ context.Context, s *processor.Shard) error {
				for s.Check() == nil {
					select {
					case <-s.Revoked():
						return nil
					case <-time.After(4 * time.Minute):
					}
				}
				return nil
			})
		}},
		"halted": {work: func(<-chan struct{}) processor.Factory { return halting(0) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				w := launch(t, "a", newWire(t, 1), coordinator.Config{Processor: c.work(release), NoProgressAfter: c.after})
				time.Sleep(time.Hour)
				told, stuck := w.heard("stuck"), w.Status().Shards[0].State == coordinator.ShardStuck
				if c.want == "" && (len(told) != 0 || stuck) {
					t.Errorf("told %+v, and the status says %v; want nothing", told, stuck)
				}
				if c.want != "" && (len(told) != 1 || !stuck || !strings.Contains(told[0].Err.Error(), c.want)) {
					t.Errorf("told %+v, and the status says %v; want it once, with %q", told, stuck, c.want)
				}
				close(release)
				w.end()
			})
		})
	}
}

// Many that hang at once are all reported, but stacks are taken once a minute: that stops the
// process.
func TestStacksAreTakenOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, seen := observer.New(zap.InfoLevel)
		var told atomic.Int64
		w := launch(t, "a", newWire(t, 100), coordinator.Config{
			Logger:    zap.New(core),
			Processor: processor.FromFunc(func(_ context.Context, s *processor.Shard) error { <-s.Revoked(); return nil }),
			Hooks:     coordinator.Hooks{Stuck: func(coordinator.ShardEvent) { told.Add(1) }},
		})
		time.Sleep(5*time.Minute + 30*time.Second)
		stacks := 0
		for _, l := range seen.FilterMessageSnippet("no progress").All() {
			if _, ok := l.ContextMap()["stacks"]; ok {
				stacks++
			}
		}
		if told.Load() != 100 || stacks != 1 {
			t.Errorf("%d were told and %d stacks logged, want 100 and one", told.Load(), stacks)
		}
		w.end()
	})
}
