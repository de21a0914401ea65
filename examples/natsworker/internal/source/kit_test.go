package source

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// patient is how long a test waits for what should come soon.
const patient = 20 * time.Second

// rig is a server with a stream, and a Source of it.
type rig struct {
	*testing.T
	server *embedded.Server
	nc     *nats.Conn
	js     jetstream.JetStream
	stream partitioned.Stream
	source *Source
}

// newRig makes a stream, as Ensure does unless change says otherwise.
func newRig(t *testing.T, change ...func(*jetstream.StreamConfig)) *rig {
	t.Helper()
	server, err := embedded.Start(t.TempDir())
	must(t, err)
	r := &rig{T: t, server: server, stream: partitioned.Stream{Name: "ORDERS", Prefix: "orders", Partitions: 4, Replicas: 1}}
	t.Cleanup(func() { r.server.Close() })
	r.nc, err = nats.Connect(server.ClientURL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	must(t, err)
	t.Cleanup(r.nc.Close)
	r.js, err = jetstream.New(r.nc)
	must(t, err)
	must(t, r.stream.Ensure(t.Context(), r.js))
	for _, c := range change {
		cfg := r.info().Config
		c(&cfg)
		_, err := r.js.UpdateStream(t.Context(), cfg)
		must(t, err)
	}
	r.source, err = New(r.nc, r.stream)
	must(t, err)
	t.Cleanup(func() { _ = r.source.Close() })
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (r *rig) info() *jetstream.StreamInfo {
	r.Helper()
	s, err := r.js.Stream(r.Context(), r.stream.Name)
	must(r.T, err)
	return s.CachedInfo()
}

// put puts texts into a partition, and returns the sequence of the last one.
func (r *rig) put(partition int, texts ...string) (last uint64) {
	r.Helper()
	for _, text := range texts {
		ack, err := r.js.Publish(r.Context(), r.stream.Subject(partition), []byte(text))
		must(r.T, err)
		last = ack.Sequence
	}
	return last
}

// fill puts so many messages into a partition.
func (r *rig) fill(partition, n int) (last uint64) {
	r.Helper()
	for i := range n {
		last = r.put(partition, fmt.Sprint("filler ", i))
	}
	return last
}

// purge deletes everything before a sequence.
func (r *rig) purge(before uint64, opts ...jetstream.StreamPurgeOpt) {
	r.Helper()
	s, err := r.js.Stream(r.Context(), r.stream.Name)
	must(r.T, err)
	if before > 0 {
		opts = append(opts, jetstream.WithPurgeSequence(before))
	}
	must(r.T, s.Purge(r.Context(), opts...))
}

func (r *rig) id(partition int) shardset.ID {
	return shardset.ID{Log: r.stream.Log(), Number: partition}
}

// open opens a partition.
func (r *rig) open(partition int, start batch.Start) batch.Reader[Message] {
	r.Helper()
	reader, err := r.source.Open(r.Context(), r.id(partition), start)
	must(r.T, err)
	r.Cleanup(func() { must(r.T, reader.Close()) })
	return reader
}

// at opens a partition at a position.
func (r *rig) at(partition int, sequence uint64) batch.Reader[Message] {
	r.Helper()
	return r.open(partition, batch.Start{Position: position(sequence), Initial: batch.Earliest()})
}

var anything = batch.Limit{Bytes: 1 << 20, Items: 1000}

// read reads once, and has to find exactly these texts.
func (r *rig) read(reader batch.Reader[Message], l batch.Limit, want ...string) batch.Chunk[Message] {
	r.Helper()
	c, err := reader.Read(r.Context(), l)
	must(r.T, err)
	if got := texts(c); !slices.Equal(got, want) {
		r.Errorf("read %q, want %q", got, want)
	}
	if len(c.Items) > 0 && c.Next != position(c.Items[len(c.Items)-1].Sequence+1) {
		r.Errorf("next is %q after sequence %d", c.Next, c.Items[len(c.Items)-1].Sequence)
	}
	if c.Next != reader.Position() {
		r.Errorf("next is %q, the position is %q", c.Next, reader.Position())
	}
	return c
}

func texts(c batch.Chunk[Message]) (all []string) {
	for _, m := range c.Items {
		all = append(all, string(m.Data))
	}
	return all
}

// await calls read until it returns true.
func await(t *testing.T, what string, done func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	for !done(ctx) {
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not after %v", what, patient)
		case <-time.After(5 * time.Millisecond):
		}
	}
}
