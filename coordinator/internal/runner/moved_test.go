package runner_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// If the service has no epochs, the run reports once that another process has stored a
// position. It does not report a position that this process may have stored itself.
func TestAMovedCheckpoint(t *testing.T) {
	other := func(r *rig, p processor.Position) {
		r.store.mu.Lock()
		defer r.store.mu.Unlock()
		r.store.saved = append(r.store.saved, p)
	}
	for name, c := range map[string]struct {
		epochs  bool
		between func(r *rig, n int) // before commit n
		restart bool                // after each commit
		one     bool                // commit only, after which somebody else writes
		want    string
	}{
		"nobody else":           {between: func(*rig, int) {}},
		"another at each":       {between: func(r *rig, n int) { other(r, "other") }, want: `[wrote "p1" found "other"]`},
		"seen after a restart":  {one: true, restart: true, want: `[wrote "p1" found "other"]`},
		"restarts, nobody else": {between: func(*rig, int) {}, restart: true},
		"the service has epochs": {epochs: true,
			between: func(r *rig, n int) { other(r, "other") }},
		"a save that was thought to have failed": {between: func(r *rig, n int) {
			r.store.save = nil
			if n == 3 {
				r.store.save = func(_ context.Context, _ processor.Owner, p processor.Position) error {
					other(r, p)
					return errors.New("no answer")
				}
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var r *rig
				var told []string
				n := 0
				r = newRig(t, func(ctx context.Context, s *processor.Shard) error {
					for {
						if n++; n > 20 {
							return nil
						}
						if n > 1 && c.one {
							return nil
						}
						if n > 1 {
							c.between(r, n)
						}
						_ = s.Commit(ctx, processor.Position(fmt.Sprintf("p%d", n)))
						time.Sleep(15 * time.Second)
						if c.one {
							other(r, "other")
						}
						if c.restart {
							return errFlaky
						}
					}
				})
				r.cfg.Epochs = c.epochs
				r.reports.Moved = func(_ shardset.Lease, wrote, found processor.Position) {
					told = append(told, fmt.Sprintf("wrote %q found %q", wrote, found))
				}
				r.start().want(shardset.OutcomeComplete)
				if got := fmt.Sprint(told); got != c.want && (c.want != "" || len(told) > 0) {
					t.Errorf("told %s, want %s", got, c.want)
				}
			})
		})
	}
}

// All shards of a worker together check once in ten seconds, however often they commit.
func TestMoveChecksAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		checks, commits := 0, 0
		r := newRig(t, func(ctx context.Context, s *processor.Shard) error {
			begin := time.Now()
			for time.Since(begin) < time.Minute {
				if err := s.Commit(ctx, processor.Position(fmt.Sprint(commits))); err != nil {
					return err
				}
				commits++
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		})
		r.cfg.Epochs = false
		r.store.load = func(context.Context, processor.Owner) error { checks++; return nil }
		r.start().want(shardset.OutcomeComplete)
		if checks--; checks < 4 || checks > 6 { // without the load at the start
			t.Errorf("%d checks with %d commits in a minute, want about 6", checks, commits)
		}
	})
}
