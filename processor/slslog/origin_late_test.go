package slslog

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// hidingStore is a store that cannot list for a while.
type hidingStore struct {
	*processor.MemoryCheckpoints
	until time.Time
}

func (h hidingStore) ListCheckpoints(ctx context.Context, log string) ([]processor.Checkpoint, error) {
	if time.Now().Before(h.until) {
		return nil, errors.New("not now")
	}
	return h.MemoryCheckpoints.ListCheckpoints(ctx, log)
}

// TestLatestIsTheEndAtTheFirstStart: a shard is opened long after the group first started. With Latest, it
// begins where its end was at that start.
func TestLatestIsTheEndAtTheFirstStart(t *testing.T) {
	one := 1
	busy := func(t *testing.T, s *served, op string, shard *int) int {
		id, err := s.server.AddFault(slsserver.Fault{Op: op, Shard: shard, Status: 503, Code: "ServerBusy", Message: "no"})
		must(t, err)
		return id
	}
	refused := func(t *testing.T, s *served) {
		_, err := s.server.AddFault(slsserver.Fault{Op: "ListShards", Status: 401, Code: "Unauthorized", Message: "no"})
		must(t, err)
	}
	for name, c := range map[string]func(t *testing.T, s *served) []*worker{
		"its cursor could not be had": func(t *testing.T, s *served) []*worker {
			fault := busy(t, s, "GetCursor", &one)
			w := s.work(false, latest)
			time.Sleep(time.Second / 2)
			s.stream(time.Minute)
			s.server.RemoveFault(fault)
			return []*worker{w}
		},
		"the worker died before": func(t *testing.T, s *served) []*worker {
			fault := busy(t, s, "GetCursor", &one)
			w := s.work(false, latest)
			time.Sleep(10 * time.Second)
			w.stop()
			s.stream(10 * time.Second)
			s.server.RemoveFault(fault)
			s.stream(time.Minute)
			return []*worker{w, s.work(false, latest)}
		},
		"the shards could not be listed": func(t *testing.T, s *served) []*worker {
			fault := busy(t, s, "ListShards", nil)
			w := s.work(false, latest)
			time.Sleep(time.Second / 2)
			s.stream(time.Minute)
			s.server.RemoveFault(fault)
			return []*worker{w}
		},
		"the shards can never be listed": func(t *testing.T, s *served) []*worker {
			busy(t, s, "ListShards", nil)
			w := s.work(false, latest)
			time.Sleep(time.Second / 2)
			s.stream(10 * time.Second)
			s.split(0, "4")
			s.stream(time.Minute)
			return []*worker{w}
		},
		"a list that never comes": func(t *testing.T, s *served) []*worker {
			_, err := s.server.AddFault(slsserver.Fault{Op: "ListShards", Latency: time.Hour})
			must(t, err)
			w := s.work(false, latest)
			time.Sleep(time.Second / 2)
			s.stream(time.Minute)
			return []*worker{w}
		},
		"the checkpoints could not be listed": func(_ *testing.T, s *served) []*worker {
			w := s.workOn(hidingStore{processor.NewMemoryCheckpoints(), time.Now().Add(20 * time.Second)}, false, latest)
			time.Sleep(time.Second / 2)
			s.stream(time.Minute)
			return []*worker{w}
		},
		"a split that nothing tells of": func(t *testing.T, s *served) []*worker {
			refused(t, s)
			w := s.workOn(processor.NewMemoryCheckpoints(), false, latest)
			time.Sleep(time.Second / 2)
			s.stream(10 * time.Second)
			s.split(0, "4")
			s.stream(10 * time.Second)
			return []*worker{w}
		},
		"a split that nothing at all tells of": func(t *testing.T, s *served) []*worker {
			refused(t, s)
			w := s.workOn(struct{ processor.Checkpoints }{processor.NewMemoryCheckpoints()}, false, latest)
			time.Sleep(time.Second / 2)
			s.stream(10 * time.Second)
			s.split(0, "4")
			s.stream(10 * time.Second)
			return []*worker{w}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := serve(t, 2, slsserver.Config{})
				s.put('0', 30, sls.PutOptions{})
				s.put('f', 30, sls.PutOptions{})
				time.Sleep(3 * time.Second)
				workers := c(t, s)
				time.Sleep(time.Minute)
				for _, w := range workers {
					w.stop()
				}
				got := all(workers...)
				if !slices.Equal(slices.Compact(got), count(60, s.number)) {
					t.Errorf("of %d logs after the start it handled %d: %v", s.number-60, len(got), got)
				}
			})
		})
	}
}

var latest = batch.Options[Group]{Initial: batch.Latest()}
