package processortest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/processortest"
	"github.com/rollcall-go/rollcall/shardset"
)

var errSink = errors.New("sink is full")

// start runs work on a goroutine of its own, as a test of a Processor does.
func start(s *processortest.Shard, work processor.Func) <-chan error {
	done := make(chan error, 1)
	go func() { done <- s.Run(processor.FromFunc(work)) }()
	return done
}

// TestWithoutABubble drains a shard in real time.
func TestWithoutABubble(t *testing.T) {
	s := processortest.New(processortest.Config{Resume: "41"})
	started := make(chan struct{})
	done := start(s, func(ctx context.Context, s *processor.Shard) error {
		close(started)
		if p, found := s.Resume(); p != "41" || !found {
			t.Errorf("it resumes at %q, %v; want 41", p, found)
		}
		<-s.Revoked()
		if ctx.Err() != nil || !errors.Is(s.Cause(), processor.ErrShutdown) {
			t.Errorf("the context ended with %v, and the cause is %v", ctx.Err(), s.Cause())
		}
		return s.Commit(ctx, "42")
	})
	<-started
	s.Revoke(processor.ErrShutdown)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if got := s.Status().Commits; !slices.Equal(got, []processor.Position{"42"}) {
		t.Errorf("committed %q, want 42", got)
	}
}

// TestStatus checks that Status has everything that a Processor reports.
func TestStatus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		poison := processor.Poison{From: "1", Next: "2", Items: 1, Err: errSink}
		gap := processor.Gap{Lost: "3", Resumed: "7", Err: errSink}
		s := processortest.New(processortest.Config{})
		err := s.Run(processor.FromFunc(func(_ context.Context, s *processor.Shard) error {
			s.ReportPoison(poison)
			s.ReportGap(gap)
			s.ReportProgress(processor.Progress{Items: 12, Lag: time.Second, LagSince: time.Now()})
			a := s.Begin(t.Context(), "the sink")
			a.Progress()
			a.End()
			return errSink
		}))
		if err != errSink {
			t.Errorf("Run returned %v, want the error of Process", err)
		}
		time.Sleep(time.Minute)
		st := s.Status()
		if !slices.Equal(st.Poison, []processor.Poison{poison}) || !slices.Equal(st.Gaps, []processor.Gap{gap}) {
			t.Errorf("reported were %+v and %+v", st.Poison, st.Gaps)
		}
		if p := st.Progress; p.Items != 12 || p.Lag != time.Minute+time.Second {
			t.Errorf("the progress is %+v, with the lag of now", p)
		}
	})
}

// TestRunAgain tests a restart: Run continues from the last commit, and the Shard of the
// attempt before refuses to commit.
func TestRunAgain(t *testing.T) {
	s := processortest.New(processortest.Config{})
	var first *processor.Shard
	err := s.Run(processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
		first = s
		if err := s.Commit(ctx, "7"); err != nil {
			return err
		}
		panic(errSink)
	}))
	var p *processor.PanicError
	if !errors.As(err, &p) || p.Where != "Process" || p.Value != error(errSink) || !strings.Contains(string(p.Stack), "TestRunAgain") {
		t.Errorf("Run returned %v, want the panic", err)
	}
	err = s.Run(processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
		if p, _ := s.Resume(); p != "7" {
			t.Errorf("it resumes at %q, want 7", p)
		}
		if err := first.Commit(ctx, "8"); !errors.Is(err, processor.ErrReturned) {
			t.Errorf("a commit of the attempt before returned %v", err)
		}
		return s.Commit(ctx, "9")
	}))
	if err != nil {
		t.Error(err)
	}
	if got := s.Status().Commits; !slices.Equal(got, []processor.Position{"7", "9"}) {
		t.Errorf("committed %q, want 7 and 9", got)
	}
}

// TestConfig checks that Process and the store get what the Config says.
func TestConfig(t *testing.T) {
	lease := shardset.Lease{ID: shardset.ID{Log: "orders", Number: 7}, Epoch: 3, NotAfter: time.Now().Add(time.Hour)}
	store := processor.NewMemoryCheckpoints()
	logs, seen := observer.New(zap.InfoLevel)
	s := processortest.New(processortest.Config{Lease: lease, Resume: "1", Checkpoints: store, Logger: zap.New(logs)})
	err := s.Run(func(_ context.Context, l shardset.Lease) (processor.Processor, error) {
		if l != lease {
			t.Errorf("the Factory got %+v, want %+v", l, lease)
		}
		return processor.Func(func(ctx context.Context, s *processor.Shard) error {
			if s.Lease() != lease || s.ID() != lease.ID {
				t.Errorf("Process got %+v of %s, want %+v", s.Lease(), s.ID(), lease)
			}
			s.Logger().Info("hello")
			if list, err := s.ListCheckpoints(ctx); err != nil || len(list) != 1 || list[0].Position != "1" {
				t.Errorf("the store lists %+v, %v", list, err)
			}
			return s.Commit(ctx, "2")
		}), nil
	})
	if err != nil {
		t.Error(err)
	}
	if p, _ := store.Position(lease.ID); p != "2" {
		t.Errorf("the store has %q, want 2", p)
	}
	if got := seen.All(); len(got) != 1 || got[0].ContextMap()["shard"] != "orders/7" || got[0].ContextMap()["epoch"] != uint64(3) {
		t.Errorf("logged %+v, want one line with the shard and its epoch", got)
	}
}

// TestFreshShard is the zero Config.
func TestFreshShard(t *testing.T) {
	s := processortest.New(processortest.Config{})
	err := s.Run(processor.FromFunc(func(_ context.Context, s *processor.Shard) error {
		if p, found := s.Resume(); p != "" || found {
			t.Errorf("it resumes at %q, %v; want nothing", p, found)
		}
		if l := s.Lease(); l.ID.String() != "test/0" || l.Epoch != 1 || !l.Valid(time.Now().AddDate(9, 0, 0)) {
			t.Errorf("the lease is %+v", l)
		}
		return nil
	}))
	if err != nil {
		t.Error(err)
	}
}
