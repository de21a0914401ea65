package processortest_test

import (
	"context"
	"fmt"
	"strconv"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/processortest"
	"github.com/rollcall-go/rollcall/shardset"
)

// adder is the Processor under test: it adds numbers to its position, and commits
// the sum when the shard is revoked.
type adder struct{ in chan int }

func (a adder) Process(ctx context.Context, s *processor.Shard) error {
	p, _ := s.Resume()
	sum, _ := strconv.Atoi(string(p))
	for {
		select {
		case n := <-a.in:
			sum += n
		case <-s.Revoked():
			return s.Commit(ctx, processor.Position(strconv.Itoa(sum)))
		}
	}
}

// When the shard is revoked, the adder commits its sum. When the lease is lost, the Shard
// refuses the commit, as in a worker: another member may have the shard already.
func Example() {
	for _, end := range []func(*processortest.Shard){
		func(s *processortest.Shard) { s.Revoke(processor.ErrRevoked) },
		func(s *processortest.Shard) { s.Cancel(processor.ErrLeaseLost) },
	} {
		a := adder{make(chan int)}
		s := processortest.New(processortest.Config{Resume: "40"})
		done := make(chan error)
		go func() {
			done <- s.Run(func(context.Context, shardset.Lease) (processor.Processor, error) { return a, nil })
		}()
		a.in <- 2
		end(s)
		fmt.Println("Process returned:", <-done)
		fmt.Println("committed:", s.Status().Commits)
	}
	// Output:
	// Process returned: <nil>
	// committed: [42]
	// Process returned: commit of shard test/0 at "42": lease on the shard was lost
	// committed: []
}
