//go:build unix

package coordinator_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// The child's lease, and how long it is frozen: longer than that.
const (
	frozenTTL = 900 * time.Millisecond
	frozenFor = 3 * frozenTTL
)

// A real process is stopped for longer than its lease and goes on: whichever of its
// goroutines wakes first, no batch is started and no commit made under the old
// lease, although neither the service nor the store would have refused. It then
// takes the shards afresh.
func TestFrozenProcess(t *testing.T) {
	if os.Getenv("ROLLCALL_FREEZE_CHILD") != "" {
		freezeChild()
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestFrozenProcess$")
	cmd.Env = append(os.Environ(), "ROLLCALL_FREEZE_CHILD=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()

	var continued int64 // when the child went on; zero: it has not been frozen yet
	var newest uint64   // epoch before that
	before, fresh := 0, 0
	lines := bufio.NewScanner(out)
	for fresh < 200 && lines.Scan() {
		var kind string
		var epoch uint64
		var stamp int64
		if n, _ := fmt.Sscan(lines.Text(), &kind, &epoch, &stamp); n != 3 {
			continue // the test binary's own words
		}
		switch {
		case continued == 0:
			before++
			newest = max(newest, epoch)
		case epoch > newest:
			fresh++
		case stamp >= continued:
			t.Errorf("a %s under the old epoch %d was begun %v after the process woke", kind, epoch, time.Duration(stamp-continued))
		}
		if before == 4000 && continued == 0 {
			cmd.Process.Signal(syscall.SIGSTOP)
			time.Sleep(frozenFor)
			continued = time.Now().UnixNano()
			cmd.Process.Signal(syscall.SIGCONT)
		}
	}
	if before < 4000 || fresh < 200 {
		t.Errorf("%d steps before the freeze and %d under new leases: the child did not do its work", before, fresh)
	}
}

// naive is a service and a store that refuse nothing: the members' own clock is all
// that stands between them and a double owner.
type naive struct{ *processor.MemoryCheckpoints }

func (naive) Info() heartbeat.Info { return heartbeat.Info{Group: "naive"} }

func (naive) Beat(context.Context, shardset.Heartbeat) (shardset.Answer, error) {
	a := shardset.Answer{TTL: frozenTTL}
	for _, s := range shardset.Range("log", 8) {
		a.Grants = append(a.Grants, shardset.Grant{ID: s.ID})
	}
	return a, nil
}

// freezeChild says on stdout what it does, each with the time just before its check.
func freezeChild() {
	c, err := coordinator.New(coordinator.Config{
		Group: naive{processor.NewMemoryCheckpoints()}, Member: "child", Interval: frozenTTL / 9,
		Processor: processor.FromFunc(func(ctx context.Context, s *processor.Shard) error {
			for {
				begun := time.Now().UnixNano()
				if err := s.Check(); err != nil {
					return err
				}
				fmt.Printf("batch %d %d\n", s.Lease().Epoch, begun)
				begun = time.Now().UnixNano()
				if err := s.Commit(ctx, "1"); err != nil {
					return err
				}
				fmt.Printf("commit %d %d\n", s.Lease().Epoch, begun)
				time.Sleep(200 * time.Microsecond)
			}
		}),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	_ = c.Run(context.Background()) // until it is killed
}
