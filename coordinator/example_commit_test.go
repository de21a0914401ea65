package coordinator_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// copier copies one shard to a sink. It commits by hand: every ten items, and what it
// has when the shard has to go.
type copier struct {
	source []string
	sink   *sink
}

func (p *copier) Process(ctx context.Context, s *processor.Shard) error {
	next := 0
	if at, ok := s.Resume(); ok {
		n, err := strconv.Atoi(string(at))
		if err != nil {
			return processor.Halt(fmt.Errorf("checkpoint %q: %w", at, err)) // not to be guessed
		}
		next = n
	}
	for ; next < len(p.source); next++ {
		select {
		case <-s.Revoked(): // finish: commit what is done, and free the shard
			return s.Commit(ctx, position(next))
		default:
		}
		if err := p.sink.Write(s.Lease(), next, p.source[next]); err != nil {
			return err // tried again, from the last commit
		}
		if (next+1)%10 == 0 {
			if err := s.Commit(ctx, position(next+1)); err != nil {
				return err // not ours any more, or tried again from the last commit
			}
		}
	}
	if err := s.Commit(ctx, position(next)); err != nil {
		return err
	}
	return processor.ErrShardClosed
}

func position(n int) processor.Position { return processor.Position(strconv.Itoa(n)) }

// sink takes an item once, however often it is written, because its place is its key;
// and from the newest owner only, because it remembers the newest epoch.
type sink struct {
	mu     sync.Mutex
	epochs map[shardset.ID]uint64
	items  map[shardset.ID]map[int]string
}

func (k *sink) Write(l shardset.Lease, at int, item string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if l.Epoch < k.epochs[l.ID] {
		return fmt.Errorf("shard %s has a newer owner: %w", l.ID, processor.ErrNotOwner)
	}
	k.epochs[l.ID] = l.Epoch
	if k.items[l.ID] == nil {
		k.items[l.ID] = map[int]string{}
	}
	k.items[l.ID][at] = item
	return nil
}

// Commit by hand, with a processor of its own for each shard, and a sink that is safe
// from repetitions and from former owners.
func Example_commit() {
	service, err := memory.New(memory.Config{Shards: shardset.Range("items", 2)})
	if err != nil {
		fmt.Println(err)
		return
	}
	out := &sink{epochs: map[shardset.ID]uint64{}, items: map[shardset.ID]map[int]string{}}
	ended := make(chan shardset.ID, 2)
	c, err := coordinator.New(coordinator.Config{
		Group: service,
		Processor: func(_ context.Context, l shardset.Lease) (processor.Processor, error) {
			return &copier{source: make([]string, 25+l.ID.Number), sink: out}, nil
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
	for _, s := range shardset.Range("items", 2) {
		p, _ := service.Position(s.ID)
		fmt.Println(s.ID, p, len(out.items[s.ID]))
	}
	fmt.Println(err)
	// Output:
	// items/0 25 25
	// items/1 26 26
	// <nil>
}
