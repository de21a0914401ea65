package coordinator_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// A worker as a service runs it: checkpoints in files that outlive the process, a
// graceful end on SIGTERM, and an exit that says what would not end.
func Example_production() {
	dir, err := os.MkdirTemp("", "checkpoints")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	store, err := processor.OpenFileCheckpoints(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	service, err := memory.New(memory.Config{Group: "billing", Shards: shardset.Range("orders", 4)})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	c, err := coordinator.New(coordinator.Config{
		Group:        service,
		Checkpoints:  store,
		DrainTimeout: 10 * time.Second,
		Logger:       zap.NewNop(), // zap.NewProduction() in earnest
		Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			if s.ID().Number == 3 {
				stop() // stands for the SIGTERM here
			}
			<-s.Revoked()
			return s.Commit(ctx, "42")
		}),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = c.Run(ctx)
	var drain *coordinator.DrainError
	if errors.As(err, &drain) {
		fmt.Println("these shards wait for their lease to end:", drain.Shards)
	}
	fmt.Println(err)
	// Output: <nil>
}
