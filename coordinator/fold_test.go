package coordinator_test

import (
	"context"
	"errors"
	"strings"
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

// An outage that stops all shards at once writes a few lines and a summary that counts
// the others, for as long as it lasts; no other line is lost.
func TestLinesOfManyShardsAreFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, seen := observer.New(zap.DebugLevel)
		down := errors.New("the sink is down")
		w := launch(t, "a", newWire(t, 300), coordinator.Config{
			Logger:  zap.New(core),
			Restart: processor.Backoff{Min: 3 * time.Second, Max: 3 * time.Second},
			Processor: processor.FromFunc(func(_ context.Context, s *processor.Shard) error {
				s.Logger().Info("mine")
				s.Logger().Warn("writing failed", zap.Error(down), processor.Fold())
				return down
			}),
		})
		const minutes = 2
		time.Sleep(minutes * time.Minute)
		failures := int(w.Status().Counters.Failures)
		w.end()
		for _, message := range []string{"processor failed", "writing failed"} {
			lines := seen.FilterMessage(message).All()
			folded := 0
			for _, l := range seen.All() {
				if !strings.HasPrefix(l.Message, message+": ") {
					continue
				}
				f := l.ContextMap()
				n := countOf(t, l.Message)
				folded += n
				shards, _ := f["shards"].([]any)
				if len(shards) != min(n, 100) && len(shards) != 100 || f["last"] != down.Error() || f["member"] != "a" {
					t.Errorf("the summary %q has %d shards and the fields %v", l.Message, len(shards), f)
				}
			}
			if most := 6 * 5 * (minutes + 1); len(lines) > most || len(lines) < 5 {
				t.Errorf("%d lines %q in %d minutes, want 5 to %d", len(lines), message, minutes, most)
			}
			if total := len(lines) + folded; total < failures || total > failures+300 {
				t.Errorf("%q: %d lines and %d folded, but %d failures", message, len(lines), folded, failures)
			}
		}
		if n := seen.FilterMessage("mine").Len(); n < failures {
			t.Errorf("%d of %d lines of the user were written", n, failures)
		}
	})
}

// deadSource fails every read.
type deadSource struct{ err error }

func (d deadSource) Open(context.Context, shardset.ID, batch.Start) (batch.Reader[int], error) {
	return d, nil
}
func (d deadSource) Position() processor.Position { return "" }
func (d deadSource) Close() error                 { return nil }
func (d deadSource) Read(context.Context, batch.Limit) (batch.Chunk[int], error) {
	return batch.Chunk[int]{}, d.err
}

// The lines of package batch are folded too: the outage of a source is its shards'.
func TestLinesOfBatchAreFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, seen := observer.New(zap.DebugLevel)
		handle := batch.Handle(deadSource{errors.New("the source is down")},
			func(context.Context, *batch.Batch[int]) error { return nil }, batch.Options[int]{})
		w := launch(t, "a", newWire(t, 100), coordinator.Config{Logger: zap.New(core), Processor: handle})
		time.Sleep(time.Minute)
		w.end()
		lines, folded := seen.FilterMessage("reading failed").Len(), 0
		for _, l := range seen.All() {
			if strings.HasPrefix(l.Message, "reading failed: ") {
				folded += countOf(t, l.Message)
			}
		}
		if lines < 5 || lines > 5*7 || folded < 500 {
			t.Errorf("%d lines and %d folded, want 5 to 35 and at least 500", lines, folded)
		}
	})
}

// countOf reads the number of a summary.
func countOf(t *testing.T, message string) (n int) {
	t.Helper()
	_, rest, _ := strings.Cut(message, ": ")
	for _, c := range strings.TrimSuffix(rest, " more lines like this") {
		if c < '0' || c > '9' {
			t.Fatalf("the summary %q has no number", message)
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// A single shard's lines are written as they come.
func TestFewLinesAreNotFolded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, seen := observer.New(zap.InfoLevel)
		w := launch(t, "a", newWire(t, 5), coordinator.Config{Logger: zap.New(core)})
		time.Sleep(time.Minute)
		w.end()
		for _, message := range []string{"shard assigned", "shard started", "shard draining", "shard stopped"} {
			if n := seen.FilterMessage(message).Len(); n != 5 {
				t.Errorf("%d lines %q, want 5", n, message)
			}
		}
		for _, l := range seen.All() {
			if strings.Contains(l.Message, "more lines") {
				t.Errorf("a summary of nothing: %q", l.Message)
			}
		}
	})
}
