package source

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv/embedded"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// embeddedAgain starts a closed server again.
func embeddedAgain(s *embedded.Server) (*embedded.Server, error) {
	return embedded.Start(s.Dir(), s.Config())
}

// TestGap: what was deleted before it was read is told, with data behind it and without.
func TestGap(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, "a", "b", "c")
	behind := r.at(0, 2)
	r.purge(3)
	if _, err := behind.Read(t.Context(), anything); !errors.Is(err, batch.ErrExpired) {
		t.Errorf("with data behind the gap: %v", err)
	}
	if behind.Position() != "2" {
		t.Errorf("it moved to %q", behind.Position())
	}
	r.purge(0)
	if _, err := r.at(0, 2).Read(t.Context(), anything); !errors.Is(err, batch.ErrExpired) {
		t.Errorf("without data behind the gap: %v", err)
	}
}

// TestNoGap: what was deleted after it was read is none.
func TestNoGap(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, "a")
	r.put(1, "x")
	r.put(0, "b")
	r.purge(2)
	r.read(r.at(0, 2), anything, "b") // the stream begins at the position
	r.purge(3)
	r.read(r.at(0, 3), anything, "b") // the position is the message
	r.put(1, "y", "z")
	r.put(0, "c")
	r.read(r.at(0, 4), anything, "c") // the message before is there
	r.read(r.at(0, 6), anything, "c") // it is another partition's
	r.purge(0)
	r.read(r.at(0, 7), anything) // everything was deleted, after it was read
	r.put(0, "d")
	r.read(r.at(0, 7), anything, "d")
}

// TestReadsThatAskForNoState: as long as the message at the position is there, or the one
// before it, a read is one request.
func TestReadsThatAskForNoState(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, "a", "b")
	reader := r.at(0, 1)
	r.read(reader, batch.Limit{Bytes: 1 << 20, Items: 1}, "a")
	r.read(reader, anything, "b")
	r.fill(1, 3)
	r.put(0, "c")
	r.read(reader, anything, "c")
	r.read(r.at(0, 1), anything, "a", "b", "c")
	if at := r.source.states.known.asked; !at.IsZero() {
		t.Error("the state of the stream was asked for")
	}
}

// TestNoGapBeforeTheFirstRead: who begins at the earliest message has lost nothing if
// another one is the earliest by then.
func TestNoGapBeforeTheFirstRead(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, "a", "b", "c")
	reader := r.open(0, batch.Start{Initial: batch.Earliest()})
	r.purge(3)
	r.read(reader, anything, "c")
	r.put(0, "d", "e")
	r.purge(5)
	if _, err := reader.Read(t.Context(), anything); !errors.Is(err, batch.ErrExpired) {
		t.Errorf("later, it has: %v", err)
	}
}

// TestLargeMessageBeforeThePosition does not use up the limit.
func TestLargeMessageBeforeThePosition(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, strings.Repeat("large", 1000), "b", "c")
	reader := r.at(0, 2)
	r.read(reader, batch.Limit{Bytes: 100, Items: 1}, "b")
	r.read(reader, batch.Limit{Bytes: 100, Items: 1}, "c")
}

// TestIdlePositionMovesAlong, so that it is not taken for one that was left behind.
func TestIdlePositionMovesAlong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, "a")
	reader := r.at(0, 2)
	last := r.fill(1, 20)
	if c := r.read(reader, anything); c.Next != position(last+1) {
		t.Errorf("it moved to %q, want %d", c.Next, last+1)
	}
	r.purge(last)
	r.put(0, "b")
	r.read(reader, anything, "b")
}

// TestPositionOfAnEmptyPartitionMovesAlong: nothing of it is there any more.
func TestPositionOfAnEmptyPartitionMovesAlong(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, "a")
	reader := r.at(0, 2)
	last := r.fill(1, 20)
	r.purge(0, jetstream.WithPurgeSubject(r.stream.Subject(0)))
	r.purge(2)
	if c := r.read(reader, anything); c.Next != position(last+1) {
		t.Errorf("it moved to %q, want %d", c.Next, last+1)
	}
	// A new partition moves too, in a stream that has been used for long.
	fresh := r.open(2, batch.Start{Initial: batch.Earliest()})
	if c := r.read(fresh, anything); c.Next != position(last+1) {
		t.Errorf("it moved to %q, want %d", c.Next, last+1)
	}
}

// TestIdlePositionStays while it is near the end of the stream: each move is a commit.
func TestIdlePositionStays(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	last := r.fill(1, 20)
	r.put(0, "a")
	r.fill(1, 10)
	reader := r.at(0, last+2)
	for range 3 {
		if c := r.read(reader, anything); c.Next != position(last+2) {
			t.Errorf("it moved to %q", c.Next)
		}
	}
}

// TestIdlePositionMovesInTime: where messages expire all at once, it is not too late.
func TestIdlePositionMovesInTime(t *testing.T) {
	t.Parallel()
	r := newRig(t, func(cfg *jetstream.StreamConfig) {
		cfg.MaxAge, cfg.Duplicates = time.Second, time.Second
	})
	r.fill(1, 20)
	at := r.put(0, "a")
	reader := r.open(0, batch.Start{Initial: batch.Earliest()})
	r.read(reader, anything, "a")
	r.fill(1, 5)
	empty := func(ctx context.Context) bool {
		c, err := reader.Read(ctx, anything)
		must(t, err)
		if len(c.Items) > 0 {
			t.Errorf("read %q", texts(c))
		}
		return r.info().State.Msgs == 0
	}
	await(t, "everything has expired", empty)
	if p := reader.Position(); p != position(at+6) {
		t.Errorf("the position is %q, want %d", p, at+6)
	}
	r.put(0, "b")
	r.read(reader, anything, "b")
}

// TestMoveSkipsNothing: messages that come while a position is moved are read.
func TestMoveSkipsNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	const rounds = 60
	next := 0
	reader := r.open(0, batch.Start{Initial: batch.Earliest()}).(*reader)
	put := make(chan error, 1)
	go func() { // ends by itself; the test waits for its result
		for i := range rounds {
			for _, p := range []int{1, 0, 1} {
				if _, err := r.js.Publish(t.Context(), r.stream.Subject(p), fmt.Append(nil, i)); err != nil {
					put <- err
					return
				}
			}
		}
		put <- nil
	}()
	await(t, "all is read", func(ctx context.Context) bool {
		c, err := reader.Read(ctx, batch.Limit{Bytes: 1 << 20, Items: 1})
		must(t, err)
		for _, text := range texts(c) {
			if text != fmt.Sprint(next) {
				t.Fatalf("after %d comes %s", next-1, text)
			}
			next++
		}
		reader.move(ctx, time.Now())
		return next == rounds
	})
	must(t, <-put)
}

// TestStreamThatWasMadeAgain: a position behind its end is none, but not at once: it may
// be an old leader that speaks.
func TestStreamThatWasMadeAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.source.patience = 200 * time.Millisecond
	last := r.fill(0, 10)
	reader := r.at(0, last+1)
	r.read(reader, anything)
	must(t, r.js.DeleteStream(t.Context(), r.stream.Name))
	must(t, r.stream.Ensure(t.Context(), r.js))
	r.source.states.known = state{} // what it knew is old; it would know in some seconds
	again := r.at(0, last+1)
	begin := time.Now()
	_, err := again.Read(t.Context(), anything)
	if err == nil || errors.Is(err, batch.ErrExpired) {
		t.Errorf("at once: %v", err)
	}
	await(t, "it has expired", func(ctx context.Context) bool {
		_, err = again.Read(ctx, anything)
		return errors.Is(err, batch.ErrExpired)
	})
	if took := time.Since(begin); took < r.source.patience {
		t.Errorf("it had expired after %v", took)
	}
}

// TestGapIsToldFirst: the loop has a gap told before anything behind it is handled.
func TestGapIsToldFirst(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.put(0, "a", "b", "c")
	handled := make(chan string, 10)
	run := func(ctx context.Context, service *memory.Service) {
		c, err := coordinator.New(coordinator.Config{Group: service, Member: "w", Processor: batch.Handle(r.source,
			func(_ context.Context, b *batch.Batch[Message]) error {
				for _, m := range b.Items {
					handled <- string(m.Data)
				}
				return nil
			}, batch.Options[Message]{
				BatchItems: 1, Expired: batch.Earliest(), Prefetch: -1,
				OnGap: func(_ context.Context, _ shardset.ID, g processor.Gap) error {
					handled <- fmt.Sprintf("gap from %s to %s", g.Lost, g.Resumed)
					return nil
				},
			})})
		must(t, err)
		must(t, c.Run(ctx))
	}
	service, err := memory.New(memory.Config{Shards: []shardset.Shard{{ID: r.id(0)}}})
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); run(ctx, service) }() // ends with ctx
	expect(t, handled, "a", "b", "c")
	stop()
	<-ended
	r.put(0, "d", "e", "f")
	r.purge(6)
	ctx, stop = context.WithCancel(t.Context())
	ended = make(chan struct{})
	go func() { defer close(ended); run(ctx, service) }()
	expect(t, handled, "gap from 4 to 6", "f")
	stop()
	<-ended
}

func expect(t *testing.T, got <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		select {
		case g := <-got:
			if g != w {
				t.Errorf("%q, want %q", g, w)
			}
		case <-time.After(patient):
			t.Fatalf("%q does not come", w)
		}
	}
}
