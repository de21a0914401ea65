package natskv_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// A worker whose group is on JetStream, here on a server inside it. On a cluster only the
// connection is another.
func Example() {
	dir, err := os.MkdirTemp("", "orders")
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
	work := processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
		if err := s.Commit(ctx, "42"); err != nil {
			return err
		}
		return processor.ErrShardClosed
	})

	group, err := natskv.New(natskv.Config{
		Conn: conn, Group: "readers", Replicas: 1, // 3 on a cluster
		Shards: shardset.Range("orders", 64),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer group.Close()
	worker, err := coordinator.New(coordinator.Config{Group: group, Processor: work, Finite: true})
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	fmt.Println(worker.Run(ctx))
	position, _, err := group.Position(ctx, shardset.Range("orders", 64)[63].ID)
	fmt.Println(position, err)
	// Output:
	// <nil>
	// 42 <nil>
}
