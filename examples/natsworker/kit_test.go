package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

// The test binary is the program when it is told so.
func TestMain(m *testing.M) {
	if os.Getenv("NATSWORKER_TEST_RUN") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience is how long a test waits for what should come soon.
const patience = 20 * time.Second

// rig is a server with the stream ORDERS.
type rig struct {
	*testing.T
	server *embedded.Server
	nc     *nats.Conn
	js     jetstream.JetStream
	stream partitioned.Stream
	puts   map[int]int64 // the last number of each partition
}

func newRig(t *testing.T, partitions int) *rig {
	t.Helper()
	server, err := embedded.Start(t.TempDir())
	must(t, err)
	t.Cleanup(server.Close)
	r := &rig{T: t, server: server, puts: map[int]int64{}}
	r.stream = partitioned.Stream{Name: "ORDERS", Prefix: "orders", Partitions: partitions, Replicas: 1}
	r.nc, err = nats.Connect(server.ClientURL())
	must(t, err)
	t.Cleanup(r.nc.Close)
	r.js, err = jetstream.New(r.nc)
	must(t, err)
	must(t, r.stream.Ensure(t.Context(), r.js))
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put puts a record with this line into a partition.
func (r *rig) put(partition int, line string) {
	r.Helper()
	r.puts[partition]++
	data := partitioned.AppendRecord(nil, partitioned.Record{Number: r.puts[partition], Put: time.Now(), Line: []byte(line)})
	r.putData(partition, data)
}

func (r *rig) putData(partition int, data []byte) {
	r.Helper()
	_, err := r.js.Publish(r.Context(), r.stream.Subject(partition), data)
	must(r.T, err)
}

// args are the program's, in a hurry.
func (r *rig) args(flags ...string) []string {
	return append([]string{
		"-servers", r.server.ClientURL(), "-partitions", fmt.Sprint(r.stream.Partitions), "-group", "g", "-member", "w",
		"-ttl", "3s", "-beat", "500ms", "-drain", "2s", "-log-level", "error",
	}, flags...)
}

// text is what a program prints, to be read meanwhile.
type text struct {
	mu    sync.Mutex
	b     bytes.Buffer
	grown chan struct{}
}

func newText() *text { return &text{grown: make(chan struct{}, 1)} }

func (x *text) Write(p []byte) (int, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	select {
	case x.grown <- struct{}{}:
	default:
	}
	return x.b.Write(p)
}

func (x *text) String() string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.b.String()
}

// await waits until a condition holds for what was printed, or the program has ended.
func (x *text) await(t *testing.T, ended <-chan struct{}, condition func(string) bool) {
	t.Helper()
	late := time.After(patience)
	for !condition(x.String()) {
		select {
		case <-x.grown:
		case <-ended:
			return
		case <-late:
			t.Errorf("it does not print what it should:\n%s", x)
			return
		}
	}
}

// lineCount is a condition: so many lines.
func lineCount(n int) func(string) bool {
	return func(s string) bool { return strings.Count(s, "\n") >= n }
}

// worker runs the program in this process until it has printed so many lines, and returns
// all that it has printed.
func (r *rig) worker(lines int, flags ...string) (stdout, stderr string) {
	r.Helper()
	return r.workerUntil(lineCount(lines), flags...)
}

// workerUntil runs the program until a condition holds for what it has printed on
// standard output.
func (r *rig) workerUntil(condition func(string) bool, flags ...string) (stdout, stderr string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), 2*patience)
	defer cancel()
	out, errs, ended, status := newText(), newText(), make(chan struct{}), 0
	go func() { // ends with ctx
		defer close(ended)
		status = run(ctx, r.args(flags...), out, errs)
	}()
	out.await(r.T, ended, condition)
	cancel()
	<-ended
	if status != exitOK {
		r.Errorf("%q: exit status %d\n%s", flags, status, errs)
	}
	if strings.Count(errs.String(), "summary: ") != 1 {
		r.Errorf("%q: no summary:\n%s", flags, errs)
	}
	return out.String(), errs.String()
}

// parseLines reads lines of JSON.
func parseLines[T any](t *testing.T, s string) (all []T) {
	t.Helper()
	for line := range strings.Lines(s) {
		var v T
		if err := json.Unmarshal([]byte(line), &v); err != nil || !strings.HasSuffix(line, "}\n") {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, v)
	}
	return all
}

// process is the program in a process of its own.
type process struct {
	*testing.T
	cmd    *exec.Cmd
	out    *text
	errs   *text
	ended  chan struct{}
	status int
}

// startProcess starts the program.
func startProcess(t *testing.T, args []string) *process {
	t.Helper()
	p := &process{T: t, cmd: exec.Command(os.Args[0], args...), out: newText(), errs: newText(), ended: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "NATSWORKER_TEST_RUN=1", "GORACE=atexit_sleep_ms=0")
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.errs
	must(t, p.cmd.Start())
	go func() { // ends with the process; the cleanup waits for it
		defer close(p.ended)
		_ = p.cmd.Wait()
		p.status = p.cmd.ProcessState.ExitCode()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// end waits for its end and returns its status.
func (p *process) end() int {
	p.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.Fatalf("it does not end:\n%s", p.errs)
	}
	return p.status
}

func (p *process) signal(s syscall.Signal) {
	p.Helper()
	must(p.T, p.cmd.Process.Signal(s))
}

// freeAddress returns an address of this machine that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	return l.Addr().String()
}
