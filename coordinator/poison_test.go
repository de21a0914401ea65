package coordinator_test

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
)

// What is given up or gone is told to its hook, logged at warning level, and counted
// for the worker, whatever becomes of the shard.
func TestPoisonAndGapsAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var poisoned []coordinator.PoisonEvent
		var gaps []coordinator.GapEvent
		poison := processor.Poison{From: "7", Next: "9", Items: 2, Attempts: 5, DeadLettered: true, Err: errBad}
		gap := processor.Gap{Lost: "3", Resumed: "7", Err: errCut}
		logs, seen := observer.New(zap.WarnLevel)
		attempt := 0
		line := newWire(t, 1)
		w := launch(t, "a", line, coordinator.Config{
			Logger: zap.New(logs),
			Processor: processor.FromFunc(func(_ context.Context, s *processor.Shard) error {
				s.ReportGap(gap)
				s.ReportPoison(poison)
				s.ReportPoison(poison)
				s.ReportProgress(processor.Progress{Items: 12, Lag: time.Minute})
				if attempt++; attempt == 1 {
					<-s.Revoked()
					return nil
				}
				return processor.ErrShardClosed
			}),
			Hooks: coordinator.Hooks{
				Poisoned: func(e coordinator.PoisonEvent) { mu.Lock(); defer mu.Unlock(); poisoned = append(poisoned, e) },
				Gap:      func(e coordinator.GapEvent) { mu.Lock(); defer mu.Unlock(); gaps = append(gaps, e) },
			},
		})
		time.Sleep(time.Second)
		s := w.Status()
		if run := s.Shards[0]; run.Poison != 2 || run.Gaps != 1 || run.Progress.Items != 12 || run.Progress.Lag != time.Minute {
			t.Errorf("the shard's status is %+v, want 2 poison, 1 gap and the report", run)
		}
		if s.Counters.Poison != 2 || s.Counters.Gaps != 1 {
			t.Errorf("counted %d poison and %d gaps, want 2 and 1", s.Counters.Poison, s.Counters.Gaps)
		}
		epoch := s.Shards[0].Epoch
		at := s.Shards[0].Since // it said so when it was called
		mu.Lock()
		want := coordinator.PoisonEvent{Poison: poison, Member: "a", At: at, ID: id(0), Epoch: epoch}
		if !slices.Equal(poisoned, []coordinator.PoisonEvent{want, want}) {
			t.Errorf("told of the poison %+v, want twice %+v", poisoned, want)
		}
		wantGap := coordinator.GapEvent{Gap: gap, Member: "a", At: at, ID: id(0), Epoch: epoch}
		if !slices.Equal(gaps, []coordinator.GapEvent{wantGap}) {
			t.Errorf("told of the gaps %+v, want %+v", gaps, wantGap)
		}
		mu.Unlock()
		wantLines(t, seen, 1, "gap skipped", map[string]any{"group": "test", "member": "a", "shard": "log/0", "epoch": epoch,
			"lost": "3", "resumed": "7", "error": errCut.Error()})
		wantLines(t, seen, 2, "poison given up", map[string]any{"group": "test", "member": "a", "shard": "log/0", "epoch": epoch,
			"from": "7", "next": "9", "items": int64(2), "attempts": int64(5), "dead_lettered": true, "error": errBad.Error()})

		line.setCut(true) // the shard is lost, granted anew, and ends
		time.Sleep(time.Minute)
		line.setCut(false)
		time.Sleep(time.Minute)
		s = w.Status()
		if len(s.Shards) != 0 || s.Counters.Poison != 4 || s.Counters.Gaps != 2 {
			t.Errorf("in the end it holds %+v and counted %d poison and %d gaps; want nothing, 4 and 2",
				s.Shards, s.Counters.Poison, s.Counters.Gaps)
		}
		w.end()
		if c := w.Status().Counters; c.Poison != 4 || c.Gaps != 2 {
			t.Errorf("after Run it counted %d poison and %d gaps, want 4 and 2", c.Poison, c.Gaps)
		}
	})
}

// wantLines compares all fields of n warnings.
func wantLines(t *testing.T, seen *observer.ObservedLogs, n int, message string, want map[string]any) {
	t.Helper()
	lines := seen.FilterMessage(message).All()
	if len(lines) != n {
		t.Errorf("%q was logged %d times, want %d", message, len(lines), n)
	}
	for _, l := range lines {
		if got := l.ContextMap(); l.Level != zapcore.WarnLevel || !maps.Equal(got, want) {
			t.Errorf("%q has level %v and the fields\n%v, want a warning with\n%v", message, l.Level, got, want)
		}
	}
}

// Poison and gaps without hooks are counted and logged all the same.
func TestPoisonAndGapsWithoutHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		logs, seen := observer.New(zap.WarnLevel)
		w := launch(t, "a", newWire(t, 1), coordinator.Config{Logger: zap.New(logs),
			Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
				s.ReportPoison(processor.Poison{})
				s.ReportGap(processor.Gap{})
				return idle(ctx, s)
			})})
		time.Sleep(time.Second)
		if c := w.Status().Counters; c.Poison != 1 || c.Gaps != 1 || seen.Len() != 2 {
			t.Errorf("counted %d poison and %d gaps, logged %d warnings; want 1, 1, 2", c.Poison, c.Gaps, seen.Len())
		}
		w.end()
	})
}
