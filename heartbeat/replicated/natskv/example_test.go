package natskv_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
	"github.com/rollcall-go/rollcall/processor"
)

// A worker on one machine, with the server inside it.
func Example_alone() {
	dir, err := os.MkdirTemp("", "worker")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	server, err := embedded.Start(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	conn, err := server.Connect(natskv.Options()...)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()

	group, err := natskv.New(natskv.Config{Conn: conn, Group: "orders", Shards: replicated.Shards("orders", 1)})
	if err != nil {
		log.Fatal(err)
	}
	defer group.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	worker, err := coordinator.New(coordinator.Config{
		Group: group, Checkpoints: group, Member: "worker-1",
		Processor: processor.Each(func(ctx context.Context, s *processor.Shard) error {
			fmt.Println("processing shard", s.ID())
			err := s.Commit(ctx, "the next thing to read")
			cancel() // enough for an example
			return err
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := worker.Run(ctx); err != nil {
		log.Fatal(err)
	}
	// Output: processing shard orders/0
}
