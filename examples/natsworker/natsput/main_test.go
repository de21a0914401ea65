package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
)

// rig is a server.
type rig struct {
	*testing.T
	server *embedded.Server
	js     jetstream.JetStream
}

func newRig(t *testing.T) *rig {
	t.Helper()
	server, err := embedded.Start(t.TempDir())
	must(t, err)
	r := &rig{T: t, server: server}
	t.Cleanup(func() { r.server.Close() })
	nc, err := nats.Connect(server.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	must(t, err)
	t.Cleanup(nc.Close)
	r.js, err = jetstream.New(nc)
	must(t, err)
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put runs the program.
func (r *rig) put(ctx context.Context, flags ...string) (status int, said string) {
	var out, errs bytes.Buffer
	status = run(ctx, append([]string{"-servers", r.server.ClientURL(), "-partitions", "3"}, flags...), &out, &errs)
	return status, errs.String()
}

// stored returns the records of a partition.
func (r *rig) stored(partition int) (all []partitioned.Record) {
	r.Helper()
	s, err := r.js.Stream(r.Context(), "ORDERS")
	must(r.T, err)
	for seq := uint64(1); seq <= s.CachedInfo().State.LastSeq; seq++ {
		m, err := s.GetMsg(r.Context(), seq)
		must(r.T, err)
		if m.Subject != fmt.Sprint("orders.", partition) {
			continue
		}
		record, err := partitioned.ParseRecord(m.Data)
		must(r.T, err)
		all = append(all, record)
	}
	return all
}

// numbered checks that a partition has the records 1 to n, in order.
func (r *rig) numbered(partition, n int) {
	r.Helper()
	records := r.stored(partition)
	if len(records) != n {
		r.Errorf("partition %d has %d records, want %d", partition, len(records), n)
	}
	for i, record := range records {
		if record.Number != int64(i+1) {
			r.Errorf("partition %d: record %d has the number %d", partition, i+1, record.Number)
		}
	}
}

// TestNumbersGoOn where the last run has ended.
func TestNumbersGoOn(t *testing.T) {
	r := newRig(t)
	for _, rate := range []string{"0", "1000"} {
		if status, said := r.put(t.Context(), "-count", "10", "-rate", rate, "-size", "7"); status != exitOK || !strings.Contains(said, "records=30 again=0") {
			t.Fatalf("exit status %d\n%s", status, said)
		}
	}
	for p := range 3 {
		r.numbered(p, 20)
	}
	if line := r.stored(0)[0].Line; len(line) != 7 {
		t.Errorf("a line is %q", line)
	}
}

// TestServerRestart: what was not acknowledged is put again, in its order and once.
func TestServerRestart(t *testing.T) {
	r := newRig(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	type result struct {
		status int
		said   string
	}
	ended := make(chan result, 1)
	go func() { // ends with ctx
		status, said := r.put(ctx, "-rate", "200")
		ended <- result{status, said}
	}()
	messages := func() uint64 {
		s, err := r.js.Stream(t.Context(), "ORDERS")
		if err != nil {
			return 0
		}
		return s.CachedInfo().State.Msgs
	}
	await(t, "it puts", func() bool { return messages() > 30 })
	r.server.Close()
	server, err := embedded.Start(r.server.Dir(), r.server.Config())
	must(t, err)
	r.server = server
	before := messages()
	await(t, "it goes on", func() bool { return messages() > before+30 })
	stop()
	got := <-ended
	if got.status != exitOK {
		t.Errorf("exit status %d\n%s", got.status, got.said)
	}
	total := 0
	for p := range 3 {
		n := len(r.stored(p))
		r.numbered(p, n)
		total += n
	}
	if !strings.Contains(got.said, fmt.Sprintf("records=%d ", total)) {
		t.Errorf("%d records are stored, and it says %s", total, got.said)
	}
}

// await waits until a condition holds.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it is not so that %s", what)
		}
	}
}

// TestForeignMessage: numbers that cannot be known are not made up.
func TestForeignMessage(t *testing.T) {
	r := newRig(t)
	if status, said := r.put(t.Context(), "-count", "1"); status != exitOK {
		t.Fatal(said)
	}
	_, err := r.js.Publish(t.Context(), "orders.1", []byte("something else"))
	must(t, err)
	if status, said := r.put(t.Context(), "-count", "1"); status != exitFailed || !strings.Contains(said, "orders.1 is no record") {
		t.Errorf("exit status %d\n%s", status, said)
	}
}

func TestFlagFaults(t *testing.T) {
	_, err := parse(strings.Fields("-nonsense rest -count -1 -rate -2 -size 0 -partitions 0 -stream a.b -creds /no/such/file"))
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{"-nonsense", `"rest"`, "-servers is empty", "-count is -1", "-rate is -2", "-size is 0", "-partitions is 0", "-stream is", "-creds"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in: %v", want, err)
		}
	}
	var out, errs bytes.Buffer
	if status := run(t.Context(), []string{"-h"}, &out, &errs); status != exitOK || !strings.Contains(out.String(), "-rate") {
		t.Errorf("-h: %d\n%s", status, &out)
	}
}

// TestReadmeCommands can be typed as they are.
func TestReadmeCommands(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	must(t, err)
	n := 0
	for line := range strings.Lines(string(text)) {
		command, ok := strings.CutPrefix(strings.TrimSpace(line), "go run ./natsput ")
		if !ok {
			continue
		}
		n++
		if _, err := parse(strings.Fields(command)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	if n != 2 {
		t.Errorf("the README has %d commands of this program", n)
	}
}
