package source

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// TestPartitionsDoNotMix: a reader finds its own messages, in order, and each has a
// position of its own.
func TestPartitionsDoNotMix(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 3 {
		r.put(0, fmt.Sprint("zero ", i))
		r.put(1, fmt.Sprint("one ", i))
	}
	zero := r.open(0, batch.Start{Initial: batch.Earliest()})
	c := r.read(zero, anything, "zero 0", "zero 1", "zero 2")
	if c.More || c.Lag != 0 || c.After(0) != "2" || c.After(2) != "6" || c.Bytes < int64(3*len("zero 0")) {
		t.Errorf("the chunk is %+v", c)
	}
	r.read(zero, anything)
	r.read(r.open(1, batch.Start{Initial: batch.Earliest()}), anything, "one 0", "one 1", "one 2")
	r.put(0, "later")
	r.read(zero, anything, "later")
}

func TestLimits(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, "a", "b", "c", "d")
	reader := r.open(0, batch.Start{Initial: batch.Earliest()})
	if c := r.read(reader, batch.Limit{Bytes: 1 << 20, Items: 2}, "a", "b"); !c.More || c.Lag <= 0 {
		t.Errorf("there is more: %+v", c)
	}
	// The last item may go over the limit.
	if c := r.read(reader, batch.Limit{Bytes: 1, Items: 100}, "c"); !c.More {
		t.Errorf("there is more: %+v", c)
	}
	if c := r.read(reader, batch.Limit{Bytes: 1, Items: 1}, "d"); c.More {
		t.Errorf("there is no more: %+v", c)
	}
}

// TestPublishersHeaders are there, and the server's are not.
func TestPublishersHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := nats.NewMsg(r.stream.Subject(0))
	m.Header.Set("Trace", "x")
	_, err := r.js.PublishMsg(t.Context(), m)
	must(t, err)
	r.put(0, "plain")
	c := r.read(r.open(0, batch.Start{Initial: batch.Earliest()}), anything, "", "plain")
	if h := c.Items[0].Header; len(h) != 1 || h.Get("Trace") != "x" {
		t.Errorf("the headers are %v", h)
	}
	if h := c.Items[1].Header; h != nil {
		t.Errorf("the headers are %v", h)
	}
	if age := time.Since(c.Items[0].Time); age < 0 || age > patient {
		t.Errorf("it was stored %v ago", age)
	}
}

func TestWhereItBegins(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, "a")
	r.put(1, "other")
	time.Sleep(20 * time.Millisecond) // the messages have times
	between := time.Now()
	r.put(0, "b")
	for name, c := range map[string]struct {
		start batch.Start
		at    processor.Position
		want  []string
	}{
		"earliest":        {batch.Start{Initial: batch.Earliest()}, "1", []string{"a", "b"}},
		"latest":          {batch.Start{Initial: batch.Latest()}, "4", nil},
		"a time":          {batch.Start{Initial: batch.At(between)}, "", []string{"b"}},
		"a time long ago": {batch.Start{Initial: batch.At(time.Unix(1, 0))}, "", []string{"a", "b"}},
		"a time to come":  {batch.Start{Initial: batch.At(time.Now().Add(time.Hour))}, "", nil},
		"a position":      {batch.Start{Initial: batch.Latest(), Position: "2"}, "2", []string{"b"}},
		"the first one":   {batch.Start{Initial: batch.Latest(), Position: "1"}, "1", []string{"a", "b"}},
		"the end":         {batch.Start{Initial: batch.Earliest(), Position: "4"}, "4", nil},
	} {
		reader := r.open(0, c.start)
		if reader.Position() != c.at {
			t.Errorf("%s: it begins at %q, want %q", name, reader.Position(), c.at)
		}
		t.Log(name)
		r.read(reader, anything, c.want...)
	}
	r.put(0, "c")
	latest := r.open(0, batch.Start{Initial: batch.Latest()})
	r.put(0, "d")
	r.read(latest, anything, "d")
}

func TestWhatCannotBeOpened(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	earliest := batch.Start{Initial: batch.Earliest()}
	_, err := r.source.Open(t.Context(), shardset.ID{Log: "other"}, earliest)
	if !processor.IsFatal(err) || !strings.Contains(err.Error(), "other/0") {
		t.Errorf("another stream's shard: %v", err)
	}
	if _, err := r.source.Open(t.Context(), r.id(0), batch.Start{}); !processor.IsFatal(err) {
		t.Errorf("no initial position: %v", err)
	}
	bounded := batch.Start{Initial: batch.Earliest(), Until: time.Now()}
	if _, err := r.source.Open(t.Context(), r.id(0), bounded); !processor.IsFatal(err) {
		t.Errorf("a bound: %v", err)
	}
	for _, p := range []processor.Position{"0", "-1", "x", "01", "1.5", "18446744073709551615", "18446744073709551616"} {
		_, err := r.source.Open(t.Context(), r.id(0), batch.Start{Position: p, Initial: batch.Earliest()})
		if !errors.Is(err, batch.ErrExpired) {
			t.Errorf("the position %q: %v", p, err)
		}
	}
}

// TestUnsuitedStream: a stream that deletes what was read by others, or whatever else
// keeps sequences from being positions, ends the worker.
func TestUnsuitedStream(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(cfg *jetstream.StreamConfig) { cfg.MaxMsgsPerSubject = 5 })
	_, err := r.source.Open(t.Context(), r.id(0), batch.Start{Initial: batch.Earliest()})
	if !processor.IsFatal(err) || !strings.Contains(err.Error(), "of a subject") {
		t.Errorf("opening says %v", err)
	}
}

// TestNothingIsLeftOnTheServer: no consumer while partitions are read, no subscription
// once the Source is closed.
func TestNothingIsLeftOnTheServer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, "a")
	before := r.nc.NumSubscriptions()
	for range 50 {
		r.read(r.open(0, batch.Start{Initial: batch.Earliest()}), anything, "a")
	}
	if n := r.info().State.Consumers; n != 0 {
		t.Errorf("the stream has %d consumers", n)
	}
	if n := r.nc.NumSubscriptions(); n != before {
		t.Errorf("there are %d subscriptions, and were %d", n, before)
	}
	if n := len(r.source.gets.waiting); n != 0 {
		t.Errorf("%d requests are still filed", n)
	}
	must(t, r.source.Close())
	if n := r.nc.NumSubscriptions(); n != before-1 {
		t.Errorf("there are %d subscriptions after Close, and were %d before", n, before)
	}
}

// TestManyReaders share a Source.
func TestManyReaders(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const partitions, messages = 8, 300
	for i := range messages {
		for p := range partitions {
			_, err := r.js.PublishAsync(r.stream.Subject(p), fmt.Appendf(nil, "%d", i))
			must(t, err)
		}
	}
	<-r.js.PublishAsyncComplete()
	var all sync.WaitGroup
	for p := range partitions {
		all.Go(func() {
			reader, err := r.source.Open(t.Context(), r.id(p), batch.Start{Initial: batch.Earliest()})
			for n := 0; n < messages && err == nil; {
				var c batch.Chunk[Message]
				c, err = reader.Read(t.Context(), batch.Limit{Bytes: 1 << 20, Items: 7})
				for _, text := range texts(c) {
					if text != fmt.Sprint(n) {
						err = fmt.Errorf("%q is not %d", text, n)
					}
					n++
				}
			}
			if err != nil {
				t.Errorf("partition %d: %v", p, err)
			}
		})
	}
	all.Wait()
}

// TestReadHonoursItsContext, also while nobody answers.
func TestReadHonoursItsContext(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	reader := r.open(0, batch.Start{Initial: batch.Earliest()})
	r.server.Close()
	cause := errors.New("the shard has to go")
	ctx, cancel := context.WithCancelCause(t.Context())
	begin := time.Now()
	time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
	if _, err := reader.Read(ctx, anything); !errors.Is(err, cause) || time.Since(begin) > getTimeout {
		t.Errorf("after %v: %v", time.Since(begin), err)
	}
	// And without one it is bounded.
	if _, err := reader.Read(t.Context(), anything); err == nil {
		t.Error("a read without a server succeeds")
	}
	if n := len(r.source.gets.waiting); n != 0 {
		t.Errorf("%d requests are still filed", n)
	}
}

// TestServerRestart: what could not be read is read later, and nothing is skipped.
func TestServerRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, "a", "b")
	reader := r.open(0, batch.Start{Initial: batch.Earliest()})
	r.read(reader, batch.Limit{Bytes: 1 << 20, Items: 1}, "a")
	r.server.Close()
	if _, err := reader.Read(t.Context(), anything); err == nil {
		t.Error("a read without a server succeeds")
	}
	if reader.Position() != "2" {
		t.Errorf("a failed read moved to %q", reader.Position())
	}
	server, err := embeddedAgain(r.server)
	must(t, err)
	r.server = server
	var c batch.Chunk[Message]
	await(t, "reading goes on", func(ctx context.Context) bool {
		c, err = reader.Read(ctx, anything)
		return err == nil && len(c.Items) > 0
	})
	if got := texts(c); len(got) != 1 || got[0] != "b" {
		t.Errorf("it goes on with %q", got)
	}
	await(t, "putting goes on", func(ctx context.Context) bool {
		_, err := r.js.Publish(ctx, r.stream.Subject(0), []byte("c"))
		return err == nil
	})
	r.read(reader, anything, "c")
}

// TestLostPart: an answer with a hole is no answer.
func TestLostPart(t *testing.T) {
	t.Parallel()
	message := func(sequence, before string) *nats.Msg {
		m := nats.NewMsg("inbox")
		m.Header.Set(headerSequence, sequence)
		m.Header.Set(headerTime, "2026-01-02T15:04:05Z")
		m.Header.Set(headerPending, "0")
		m.Header.Set(headerBefore, before)
		return m
	}
	end := func(before string) *nats.Msg {
		m := message("", before)
		m.Header.Set(headerStatus, "204")
		return m
	}
	for name, c := range map[string]struct {
		parts []*nats.Msg
		want  error
	}{
		"whole":             {[]*nats.Msg{message("5", "0"), message("8", "5"), end("8")}, nil},
		"the first is lost": {[]*nats.Msg{message("8", "5")}, errHole},
		"one is lost":       {[]*nats.Msg{message("5", "0"), message("9", "8")}, errHole},
		"the last is lost":  {[]*nats.Msg{message("5", "0"), end("8")}, errHole},
	} {
		w := &get{}
		for i, part := range c.parts {
			if more := w.take(part); more != (i < len(c.parts)-1) {
				t.Errorf("%s: after part %d there is more: %v", name, i, more)
			}
		}
		if !errors.Is(w.err, c.want) {
			t.Errorf("%s: %v", name, w.err)
		}
	}
}
