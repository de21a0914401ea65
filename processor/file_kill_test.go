package processor

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// killDirEnv names the directory to the child process, and makes it one.
const killDirEnv = "ROLLCALL_TEST_KILL_DIR"

var killShards = shardset.Range("Kill", 4)

// TestFileKillChild is not a test but the process that TestFileKill kills. It continues
// from the position of each shard, saves 1, 2, 3..., all shards in parallel, and prints
// each save that succeeded. It ends when its output is closed.
func TestFileKillChild(t *testing.T) {
	dir := os.Getenv(killDirEnv)
	if dir == "" {
		t.Skip("started by TestFileKill only")
	}
	f, err := OpenFileCheckpoints(dir)
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, len(killShards))
	for _, s := range killShards {
		go func() { failed <- saveUntilKilled(f, ownerOf(s.ID)) }()
	}
	t.Fatal(<-failed)
}

func saveUntilKilled(f *FileCheckpoints, o Owner) error {
	p, _, err := f.Load(context.Background(), o)
	if err != nil {
		return err
	}
	for n := positionNumber(p) + 1; ; n++ {
		if err := f.Save(context.Background(), o, numberedPosition(n)); err != nil {
			return err
		}
		if _, err := fmt.Printf("saved %d %d\n", o.Lease.ID.Number, n); err != nil {
			return err
		}
	}
}

// numberedPosition is n, and long enough to be torn: about 2 KB.
func numberedPosition(n int) Position { return Position(fmt.Sprintf("%02000d", n)) }

func positionNumber(p Position) int {
	n, _ := strconv.Atoi(string(p)) // 0 for none
	return n
}

// The test kills a real process at random moments. Afterwards each shard has the last
// position that the process printed, or the one that it was saving.
func TestFileKill(t *testing.T) {
	rounds := 8
	if testing.Short() {
		rounds = 2
	}
	dir := t.TempDir()
	for round := range rounds {
		acked := killRound(t, dir)
		f := openStore(t, dir)
		for _, s := range killShards {
			id := s.ID
			p, _ := mustLoad(t, f, ownerOf(id))
			got := positionNumber(p)
			if got != acked[id.Number] && got != acked[id.Number]+1 || p != "" && p != numberedPosition(got) {
				t.Errorf("round %d: shard %s is at %.20q..., and %d was acknowledged", round, id, p, acked[id.Number])
			}
		}
		if names := dirNames(t, dir); len(names) > len(killShards) {
			t.Errorf("round %d: reopening left %q", round, names)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killRound starts the child, kills it, and returns the last position that the child printed
// for each shard. If there is none, it is the position that the child started from.
func killRound(t *testing.T, dir string) map[int]int {
	t.Helper()
	acked := storedNumbers(t, dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestFileKillChild$")
	cmd.Env = append(os.Environ(), killDirEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killAt := 1 + rand.IntN(200)
	killed := make(chan struct{})
	lines, saves := bufio.NewScanner(out), 0
	for lines.Scan() { // to the end: what was printed before the kill counts
		var shard, n int
		if _, err := fmt.Sscanf(lines.Text(), "saved %d %d", &shard, &n); err != nil {
			t.Errorf("the child says %q", lines.Text())
			continue
		}
		acked[shard] = n
		saves++
		if saves != killAt {
			continue
		}
		if _, err := OpenFileCheckpoints(dir); !errors.Is(err, ErrDirInUse) {
			t.Errorf("open while another process has it: %v, want %v", err, ErrDirInUse)
		}
		// A few saves' time, so that the kill is in no step with the lines.
		time.AfterFunc(rand.N(5*time.Millisecond), func() {
			defer close(killed)
			if err := cmd.Process.Kill(); err != nil {
				t.Error(err)
			}
		})
	}
	if saves < killAt {
		_ = cmd.Wait() // what it died of is in the lines above
		t.Fatalf("the child ended by itself after %d saves", saves)
	}
	<-killed
	if err := cmd.Wait(); err == nil {
		t.Error("the child was not killed")
	}
	return acked
}

func storedNumbers(t *testing.T, dir string) map[int]int {
	t.Helper()
	f := openStore(t, dir)
	stored := map[int]int{}
	for _, s := range killShards {
		p, _ := mustLoad(t, f, ownerOf(s.ID))
		stored[s.ID.Number] = positionNumber(p)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return stored
}
