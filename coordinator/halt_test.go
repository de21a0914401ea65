package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

var errBad = errors.New("record 17 cannot be read")

// halting is a processor that halts the given shard, and waits on the others.
func halting(n int) processor.Factory {
	return processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
		if s.ID() == id(n) {
			return processor.Halt(fmt.Errorf("page 3: %w", errBad))
		}
		return idle(ctx, s)
	})
}

// A shard whose checkpoint is damaged is halted: reading it again does not mend it.
func TestADamagedCheckpointHalts(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		run := func(begin func(*worker)) *worker {
			store, err := processor.OpenFileCheckpoints(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			w := launch(t, "a", newWire(t, 2), coordinator.Config{Checkpoints: store, Processor: processor.FromFunc(
				func(ctx context.Context, s *processor.Shard) error {
					if err := s.Commit(ctx, "7"); err != nil {
						return err
					}
					return idle(ctx, s)
				})})
			time.Sleep(time.Hour)
			begin(w)
			w.end()
			return w
		}
		run(func(*worker) {})
		files, err := filepath.Glob(filepath.Join(dir, "shard-*1"))
		if err != nil || len(files) != 1 {
			t.Fatalf("the files of shard 1 are %v, %v", files, err)
		}
		if err := os.WriteFile(files[0], []byte("torn"), 0o600); err != nil {
			t.Fatal(err)
		}
		w := run(func(w *worker) {
			if got := w.running(); !slices.Equal(got, []shardset.ID{id(0)}) {
				t.Errorf("it runs %v, want the other shard", got)
			}
		})
		told := w.heard("halted")
		if len(told) != 1 || told[0].ID != id(1) || len(w.heard("failed")) != 0 {
			t.Fatalf("told of the halts %+v and the failures %+v, want one halt of %s", told, w.heard("failed"), id(1))
		}
		if text := told[0].Err.Error(); !strings.Contains(text, files[0]) || !strings.Contains(text, "delete it") {
			t.Errorf("the error is %q, want one that names the file and what to do", text)
		}
	})
}

// A halted shard is reported once, stays held and is in the status; the others go on.
func TestHaltIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs, seen := observer.New(zap.InfoLevel)
		begin := time.Now()
		w := launch(t, "a", newWire(t, 3), coordinator.Config{Processor: halting(1), Logger: zap.New(logs)})
		time.Sleep(time.Hour)
		if got, want := w.running(), []shardset.ID{id(0), id(2)}; !slices.Equal(got, want) {
			t.Errorf("it runs %v, want %v", got, want)
		}
		s := w.Status()
		halted := s.Shards[1]
		if halted.State != coordinator.ShardHalted || !errors.Is(halted.LastError, errBad) {
			t.Errorf("the status of the halted shard is %+v, want held and halted by %v", halted, errBad)
		}
		if c := s.Counters; c.Halted != 1 || c.Failures != 0 || c.Assigned != 3 || c.Stopped != 0 {
			t.Errorf("counted %+v, want 3 assigned, 1 halted, none failed or stopped", c)
		}
		told := w.heard("halted")
		if len(told) != 1 || told[0].ID != id(1) || told[0].Epoch != halted.Epoch || told[0].Member != "a" ||
			told[0].At.Sub(begin) > slack || !errors.Is(told[0].Err, errBad) {
			t.Errorf("told of the halts %+v, want one of %s by %v", told, id(1), errBad)
		}
		lines := seen.FilterMessageSnippet("halted").All()
		if len(lines) != 1 || lines[0].Level != zapcore.ErrorLevel {
			t.Fatalf("logged %+v, want one line at error level", lines)
		}
		f := lines[0].ContextMap()
		if f["shard"] != "log/1" || f["member"] != "a" || f["epoch"] != halted.Epoch || f["error"] != "page 3: "+errBad.Error() {
			t.Errorf("the line has the fields %v", f)
		}
		if took, err := w.end(); err != nil || took > slack {
			t.Errorf("Run returned %v after %v, want nil at once", err, took)
		}
		if n := len(w.heard("halted")) + len(w.heard("failed")); n != 1 {
			t.Errorf("at the end of the run %d halts and failures were told, want the one", n)
		}
	})
}

// A panic that a processor contained, and halts for, is logged with its stack.
func TestHaltForAPanicLogsTheStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs, seen := observer.New(zap.ErrorLevel)
		w := launch(t, "a", newWire(t, 1), coordinator.Config{Logger: zap.New(logs),
			Processor: processor.FromFunc(func(context.Context, *processor.Shard) error {
				return processor.Halt(&processor.PanicError{Where: "handler", Value: "boom", Stack: debug.Stack()})
			})})
		time.Sleep(time.Minute)
		lines := seen.All()
		if len(lines) != 1 {
			t.Fatalf("logged %+v, want one line", lines)
		}
		if stack, _ := lines[0].ContextMap()["stack"].(string); !strings.Contains(stack, "TestHaltForAPanicLogsTheStack") {
			t.Errorf("the stack in the line is %q", stack)
		}
		w.end()
	})
}

// No other member gets a halted shard while its holder lives, however long. When the
// holder leaves, or dies, another one does, and may know better.
func TestHaltedStaysHeld(t *testing.T) {
	for name, end := range map[string]struct {
		do    func(w *worker, line *wire)
		after time.Duration
	}{
		"leaves": {func(w *worker, _ *wire) { w.end() }, time.Second},
		"dies":   {func(_ *worker, line *wire) { line.setCut(true) }, ttl + interval},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				line := newWire(t, 2)
				// The older member takes both, and keeps its halted shard: the other one is
				// given to the newcomer.
				w := launch(t, "a", line, coordinator.Config{Processor: halting(0)})
				time.Sleep(time.Second)
				other := launch(t, "b", line.another(), coordinator.Config{})
				for range 60 {
					time.Sleep(time.Minute)
					if got := w.Status().Shards; len(got) != 1 || got[0].ID != id(0) || got[0].State != coordinator.ShardHalted {
						t.Fatalf("the member with the halted shard holds %+v, want that one, halted", got)
					}
					if got, want := other.running(), []shardset.ID{id(1)}; !slices.Equal(got, want) {
						t.Fatalf("the other member runs %v, want %v", got, want)
					}
				}
				if n := len(w.heard("halted")); n != 1 {
					t.Errorf("%d halts were told, want 1", n)
				}
				end.do(w, line)
				time.Sleep(end.after)
				if got, want := other.running(), []shardset.ID{id(0), id(1)}; !slices.Equal(got, want) {
					t.Errorf("afterwards the other member runs %v, want %v", got, want)
				}
				w.end()
				other.end()
			})
		})
	}
}

// The group may move a halted shard like any other. It goes at once, as released.
func TestHaltedIsRevoked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := newWire(t, 2)
		w := launch(t, "a", line, coordinator.Config{Processor: halting(1)})
		time.Sleep(time.Minute)
		other := launch(t, "b", line.another(), coordinator.Config{})
		time.Sleep(time.Second)
		if got, want := other.running(), []shardset.ID{id(1)}; !slices.Equal(got, want) {
			t.Errorf("the other member runs %v, want %v", got, want)
		}
		stopped := w.heard("stopped")
		if len(stopped) != 1 || stopped[0].ID != id(1) || stopped[0].Outcome != shardset.OutcomeReleased {
			t.Errorf("stopped: %+v, want %s released", stopped, id(1))
		}
		w.end()
		other.end()
	})
}

// After a lost lease the shard is granted anew, and processed anew.
func TestHaltedShardAfterALostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		line := newWire(t, 1)
		w := launch(t, "a", line, coordinator.Config{Processor: halting(0)})
		time.Sleep(time.Minute)
		line.setCut(true)
		time.Sleep(time.Minute)
		if got := w.Status().Shards; len(got) != 0 {
			t.Errorf("without a lease it reports %+v", got)
		}
		line.setCut(false)
		time.Sleep(time.Minute)
		if got := w.Status(); len(got.Shards) != 1 || got.Shards[0].State != coordinator.ShardHalted || got.Counters.Halted != 2 {
			t.Errorf("with a new lease the status is %+v, want the shard halted for the second time", got)
		}
		w.end()
	})
}
