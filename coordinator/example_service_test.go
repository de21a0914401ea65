package coordinator_test

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// fixed is a group service that never changes its mind: each member has the shards
// that its deployment says, as a partition number from the environment would.
type fixed map[string][]shardset.ID

func (f fixed) Info() heartbeat.Info { return heartbeat.Info{Group: "fixed"} }

func (f fixed) Beat(_ context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	a := shardset.Answer{TTL: time.Minute}
	for _, id := range f[r.Member] {
		a.Grants = append(a.Grants, shardset.Grant{ID: id})
	}
	return a, nil
}

// A group service of one's own: two methods are enough. It has no checkpoints, so
// they are given apart.
func Example_service() {
	store := processor.NewMemoryCheckpoints()
	started := make(chan shardset.ID)
	c, err := coordinator.New(coordinator.Config{
		Group:       fixed{"worker-1": {{Number: 0}, {Number: 1}}, "worker-2": {{Number: 2}}},
		Checkpoints: store,
		Member:      "worker-2",
		Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			started <- s.ID()
			<-s.Revoked()
			return nil
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		fmt.Println("started", <-started)
		stop()
	}()
	fmt.Println(c.Run(ctx))
	// Output:
	// started 2
	// <nil>
}
