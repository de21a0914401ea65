package coordinator_test

import (
	"context"
	"fmt"
	"strconv"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// sums adds up the numbers of one shard. It commits by hand: every ten numbers, and
// what it has when the shard has to go.
type sums struct {
	source []int
	total  int
}

func (p *sums) Process(ctx context.Context, s *processor.Shard) error {
	next := 0
	if at, ok := s.Resume(); ok {
		next, _ = strconv.Atoi(string(at))
	}
	for ; next < len(p.source); next++ {
		select {
		case <-s.Revoked(): // finish: commit what is done, and free the shard
			return s.Commit(ctx, position(next))
		default:
		}
		p.total += p.source[next]
		if (next+1)%10 == 0 {
			if err := s.Commit(ctx, position(next+1)); err != nil {
				return err // not ours any more, or try again from the last commit
			}
		}
	}
	if err := s.Commit(ctx, position(next)); err != nil {
		return err
	}
	return processor.ErrShardEnded
}

func position(n int) processor.Position { return processor.Position(strconv.Itoa(n)) }

// Commit by hand, with a processor of its own for each shard.
func Example_commit() {
	service, _ := memory.New(memory.Config{Shards: shardset.Range("numbers", 2)})
	ended := make(chan shardset.ID)
	c, err := coordinator.New(coordinator.Config{
		Group: service,
		Processor: func(_ context.Context, l shardset.Lease) (processor.Processor, error) {
			return &sums{source: make([]int, 25+l.ID.Number)}, nil
		},
		Hooks: coordinator.Hooks{Stopped: func(e coordinator.ShardEvent) { ended <- e.ID }},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	go func() {
		<-ended
		<-ended
		stop()
	}()
	err = c.Run(ctx)
	for _, id := range shardset.Range("numbers", 2) {
		p, _ := service.Position(id)
		fmt.Println(id, p)
	}
	fmt.Println(err)
	// Output:
	// numbers/0 25
	// numbers/1 26
	// <nil>
}
