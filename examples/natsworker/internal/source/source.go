// Package source reads the partitions of a JetStream stream by sequence, as a
// batch.Source. Partition 7 is what was published under <prefix>.7.
//
// # Position
//
// A position is the sequence, in the stream, of the next message to read, in decimal.
// Sequences count the messages of all partitions, so those of one have holes.
//
// # Where a partition begins
//
// A stream does not tell when a partition came to be, so each one without a checkpoint
// begins at the initial position. A partition that is added to a group that began at the
// latest loses what it gets before it is opened.
//
// # Nothing on the server
//
// Reads are direct gets in batches: "so many messages of this subject from that sequence
// on". There is no consumer, so there is nothing to leak, to expire or to move when a
// leader goes, and a request that gets no answer is made again. Any replica answers. One
// that lags behind knows less, never something else: it delays, and skips nothing.
//
// # Gaps
//
// Limits delete a stream's messages from the front. A read begins with the message
// before the position, if that is the partition's: while it is there nothing behind it
// was deleted. Where it is not, the read asks the stream where it begins now. A
// position before that beginning has expired: something may be gone that nobody has
// read. The reader of a partition that is idle in a stream that is not moves its position
// along, so that it does not look like one that was left behind.
//
// What people delete in the middle, single messages or a subject, leaves no trace.
package source

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// Message is one message of a partition.
type Message struct {
	// Sequence is its place in the stream.
	Sequence uint64
	// Time is when the server stored it.
	Time time.Time
	// Header is what was published with it; nil if nothing was.
	Header nats.Header
	Data   []byte
}

// size is about what the message takes in memory.
func (m *Message) size() int64 {
	size := int64(len(m.Data)) + overhead
	for key, values := range m.Header {
		size += int64(len(key)) + overhead
		for _, v := range values {
			size += int64(len(v))
		}
	}
	return size
}

// overhead is about what a message takes beside its data, and a header beside its text.
const overhead = 128

// Source reads the partitions of one stream. It is safe for concurrent use; one serves
// all shards of a worker, with one subscription.
type Source struct {
	stream partitioned.Stream
	gets   *gets
	states *states

	patience time.Duration
}

// New returns a Source that reads over a connection, which stays the caller's. Close ends
// it.
func New(nc *nats.Conn, s partitioned.Stream) (*Source, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, err
	}
	g, err := newGets(nc, s.Name)
	if err != nil {
		return nil, err
	}
	return &Source{stream: s, gets: g, states: newStates(js, s), patience: patience}, nil
}

// Close gives up the subscription. Reads that are under way fail.
func (s *Source) Close() error { return s.gets.close() }

// errBound is said of a bounded run: a replica cannot tell that it has seen everything
// up to a time.
var errBound = errors.New("a stream cannot be read up to a bound")

// Open implements batch.Source. It asks the server for nothing but the end of the stream
// or its beginning, where one of them is the initial position.
func (s *Source) Open(ctx context.Context, id shardset.ID, start batch.Start) (batch.Reader[Message], error) {
	if id.Log != s.stream.Log() {
		return nil, processor.Fatal(fmt.Errorf("shard %s is not of the stream %s", id, s.stream.Name))
	}
	if !start.Until.IsZero() || start.UntilPosition != "" {
		return nil, processor.Fatal(errBound)
	}
	r := &reader{source: s, subject: s.stream.Subject(id.Number)}
	if start.Position != "" {
		at, err := parsePosition(start.Position)
		if err != nil {
			return nil, err
		}
		r.next = at
		return r, nil
	}
	if at, ok := start.Initial.Time(); ok {
		r.since = at
		return r, nil
	}
	if start.Initial != batch.Earliest() && start.Initial != batch.Latest() {
		return nil, processor.Fatal(fmt.Errorf("the initial position %v is not known", start.Initial))
	}
	st, err := s.states.newerThan(ctx, time.Now())
	if err != nil {
		return nil, err
	}
	r.next, r.fresh = st.first, start.Initial == batch.Earliest()
	if start.Initial == batch.Latest() {
		r.next = st.last + 1
	}
	return r, nil
}

// parsePosition reads what position wrote. Anything else is no position of a stream.
func parsePosition(p processor.Position) (uint64, error) {
	n, err := strconv.ParseUint(string(p), 10, 64)
	if err != nil || n == math.MaxUint64 || position(n) != p {
		return 0, fmt.Errorf("%w: %.40q is no sequence of a stream", batch.ErrExpired, p)
	}
	return n, nil
}

// position is the position at a sequence; zero: it is not known.
func position(sequence uint64) processor.Position {
	if sequence == 0 {
		return ""
	}
	return processor.Position(strconv.FormatUint(sequence, 10))
}
