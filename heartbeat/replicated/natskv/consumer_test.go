package natskv

import (
	"context"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// reluctant is a stream that is missing when its state is first read.
type reluctant struct {
	jetstream.Stream
	asked int
}

func (r *reluctant) Info(ctx context.Context, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	if r.asked++; r.asked == 1 {
		return nil, nats.ErrNoResponders
	}
	return r.Stream.Info(ctx, opts...)
}

// A watch that must start again, because the stream was missing for a moment, still has one
// consumer. Two would deliver to one inbox, and the watch would break.
func TestOneConsumer(t *testing.T) {
	s := open(t, lone(t), Config{})
	swapped(t, s, recordOf("a"), 0)
	away := &reluctant{Stream: boundTo(t, s.records)}
	s.records.bound = away
	w := &watch{store: s, kind: replicated.KindRecord, messages: make(chan *nats.Msg, 16),
		ended: make(chan struct{}), heartbeat: maxHeartbeat}
	defer w.close()
	if err := w.open(soon(t)); err != nil {
		t.Fatal(err)
	}
	info, err := boundTo(t, s.records).Info(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	if info.State.Consumers != 1 || away.asked != 1 {
		t.Errorf("after %d tries in vain a watch has %d consumers, want one", away.asked, info.State.Consumers)
	}
}
