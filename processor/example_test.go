package processor_test

import (
	"context"
	"fmt"
	"strconv"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/processortest"
)

// A Processor for a log of lines. It commits after each line, and returns when the shard is
// revoked. Here processortest plays the worker.
func Example() {
	log := []string{"one", "two", "three"}
	f := processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
		p, _ := s.Resume()
		next, _ := strconv.Atoi(string(p))
		for ; next < len(log); next++ {
			select {
			case <-s.Revoked():
				return nil // the next owner goes on at the last commit
			default:
			}
			fmt.Println(s.ID(), log[next])
			if err := s.Commit(ctx, processor.Position(strconv.Itoa(next+1))); err != nil {
				return err
			}
		}
		return nil // the work is complete
	})

	s := processortest.New(processortest.Config{Resume: "1"})
	fmt.Println("result:", s.Run(f))
	fmt.Println("committed:", s.Status().Commits)
	// Output:
	// test/0 two
	// test/0 three
	// result: <nil>
	// committed: [2 3]
}
