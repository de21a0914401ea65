package coordinator_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// A worker in fifteen lines: it holds all four shards of an embedded group, for a
// second, and commits what it did when it has to go.
func Example() {
	service, err := memory.New(memory.Config{Shards: shardset.Range("orders", 4)})
	if err != nil {
		log.Fatal(err)
	}
	work := func(ctx context.Context, s *processor.Shard) error {
		<-s.Revoked() // the work on this shard goes here, until the shard has to go
		return s.Commit(ctx, "42")
	}
	c, err := coordinator.New(coordinator.Config{Group: service, Processor: processor.FromFunc(work)})
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err = c.Run(ctx)
	position, _ := service.Position(shardset.ID{Log: "orders", Number: 3})
	fmt.Println(err, position)
	// Output: <nil> 42
}
