package postgres_test

import (
	"context"
	"log"
	"os"
	"os/signal"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/postgres"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// A worker of a group with 16 shards. Any number of these share them out.
func ExampleNew() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	cfg, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	postgres.Tune(cfg)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer pool.Close()
	group, err := postgres.New(postgres.Config{Pool: pool, Group: "billing", Shards: shardset.Range("orders", 16)})
	if err != nil {
		log.Fatal(err)
	}
	defer group.Close()
	worker, err := coordinator.New(coordinator.Config{
		Group: group, Checkpoints: group,
		Processor: processor.FromFunc(func(_ context.Context, s *processor.Shard) error {
			<-s.Revoked() // the work goes here
			return nil
		}),
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := worker.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
