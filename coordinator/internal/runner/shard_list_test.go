package runner_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// listing is a store that can list.
type listing struct {
	*fakeStore
	list func(ctx context.Context, log string) ([]processor.Checkpoint, error)
}

func (l listing) ListCheckpoints(ctx context.Context, log string) ([]processor.Checkpoint, error) {
	return l.list(ctx, log)
}

func TestShardListsCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer []processor.Checkpoint
		var failed error
		var took time.Duration
		work := func(ctx context.Context, s *processor.Shard) error {
			began := time.Now()
			answer, failed = s.ListCheckpoints(ctx)
			took = time.Since(began)
			return nil
		}
		run := func(list func(ctx context.Context, log string) ([]processor.Checkpoint, error)) {
			r := newRig(t, work)
			if list != nil {
				r.cfg.Checkpoints = listing{r.store, list}
			}
			r.start().finish()
		}
		run(nil)
		if !errors.Is(failed, errors.ErrUnsupported) {
			t.Errorf("a store that cannot list: %v", failed)
		}
		run(func(_ context.Context, log string) ([]processor.Checkpoint, error) {
			return []processor.Checkpoint{{Position: processor.Position(log)}}, nil
		})
		if failed != nil || len(answer) != 1 || answer[0].Position != "orders" {
			t.Errorf("it lists %+v, %v", answer, failed)
		}
		run(func(ctx context.Context, _ string) ([]processor.Checkpoint, error) { return nil, hang(ctx) })
		if !errors.Is(failed, context.DeadlineExceeded) || took != 5*time.Second {
			t.Errorf("a store that hangs: %v after %v, want the commit timeout", failed, took)
		}
	})
}
