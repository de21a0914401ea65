package source

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
	"github.com/rollcall-go/rollcall/processor"
)

// state is what the stream's leader said about the stream.
type state struct {
	asked       time.Time     // when the question left
	first, last uint64        // sequences: of the oldest message, or the next one if there is none; of the newest one ever
	maxAge      time.Duration // zero: messages do not expire
}

// states asks for the state of the stream, once for all readers that want to know it at
// the same time. It is safe for concurrent use.
type states struct {
	js     jetstream.JetStream
	stream partitioned.Stream
	turn   chan struct{} // held by the one who asks; it guards the fields below
	handle jetstream.Stream
	known  state
}

// infoTimeout bounds one question.
const infoTimeout = 3 * time.Second

func newStates(js jetstream.JetStream, s partitioned.Stream) *states {
	return &states{js: js, stream: s, turn: make(chan struct{}, 1)}
}

// newerThan returns a state that was asked for after a time. It asks, unless another
// reader has done so meanwhile.
func (s *states) newerThan(ctx context.Context, t time.Time) (state, error) {
	return s.get(ctx, func(known state) bool { return known.asked.After(t) })
}

// recent returns a state that is not so old that a look would be too late.
func (s *states) recent(ctx context.Context, now time.Time) (state, error) {
	return s.get(ctx, func(known state) bool { return now.Sub(known.asked) < known.often(lookEvery, looksALife)/2 })
}

func (s *states) get(ctx context.Context, does func(state) bool) (state, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return state{}, context.Cause(ctx)
	}
	if does(s.known) {
		return s.known, nil
	}
	asked := time.Now()
	info, err := s.ask(ctx)
	if err != nil {
		return state{}, err
	}
	s.known = state{asked: asked, first: max(info.State.FirstSeq, 1), last: info.State.LastSeq, maxAge: info.Config.MaxAge}
	return s.known, nil
}

// empty reports whether the stream holds nothing of a subject, and its last sequence as
// it was when, or before, the server saw that.
func (s *states) empty(ctx context.Context, subject string) (bool, uint64, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return false, 0, context.Cause(ctx)
	}
	info, err := s.ask(ctx, jetstream.WithSubjectFilter(subject))
	if err != nil {
		return false, 0, err
	}
	return info.State.Subjects[subject] == 0, info.State.LastSeq, nil
}

// ask asks, while it is its turn. A stream that does not suit stays so: that ends the
// worker. One that is not there may be made again.
func (s *states) ask(ctx context.Context, opts ...jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, infoTimeout)
	defer cancel()
	info, err := s.info(ctx, opts)
	if err != nil {
		return nil, fmt.Errorf("the state of the stream %s: %w", s.stream.Name, err)
	}
	if err := s.stream.Readable(info.Config); err != nil {
		return nil, processor.Fatal(err)
	}
	return info, nil
}

func (s *states) info(ctx context.Context, opts []jetstream.StreamInfoOpt) (*jetstream.StreamInfo, error) {
	if s.handle == nil {
		handle, err := s.js.Stream(ctx, s.stream.Name)
		if err != nil {
			return nil, err
		}
		s.handle = handle
	}
	return s.handle.Info(ctx, opts...)
}
