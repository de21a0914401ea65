package natskv

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// leader answers the first writes with err, and takes the next one.
type leader struct {
	err   error
	first int // how many it refuses
	asked int
}

func (l *leader) PublishMsg(_ context.Context, _ *nats.Msg, opts ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	l.asked++
	if l.asked <= l.first {
		return nil, l.err
	}
	return &jetstream.PubAck{Sequence: 7}, nil
}

// A write is sent again if the leader refuses it because of another write of the key, but
// not for ever. It is not sent again after any other error, because it may have been made.
func TestPublishAgain(t *testing.T) {
	busy := &jetstream.APIError{ErrorCode: jetstream.JSErrCodeStreamWrongLastSequenceConstant}
	for _, c := range []struct {
		name  string
		l     leader
		asked int
		want  error
	}{
		{"at once", leader{}, 1, nil},
		{"busy for a moment", leader{err: busy, first: 3}, 4, nil},
		{"busy", leader{err: busy, first: 1000}, 7, busy},
		{"at another revision", leader{err: jetstream.ErrKeyExists, first: 1}, 1, jetstream.ErrKeyExists},
		{"silent", leader{err: context.DeadlineExceeded, first: 1}, 1, context.DeadlineExceeded},
		{"away", leader{err: jetstream.ErrNoStreamResponse, first: 1}, 1, jetstream.ErrNoStreamResponse},
	} {
		synctest.Test(t, func(t *testing.T) {
			revision, err := publish(t.Context(), &c.l, &nats.Msg{}, 1)
			if !errors.Is(err, c.want) || (err == nil) != (revision == 7) {
				t.Errorf("%s: %d, %v; want %v", c.name, revision, err, c.want)
			}
			if c.l.asked != c.asked {
				t.Errorf("%s: the leader was asked %d times, want %d", c.name, c.l.asked, c.asked)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	l := leader{err: busy, first: 1000}
	if _, err := publish(ctx, &l, &nats.Msg{}, 1); !errors.Is(err, busy) || l.asked != 1 {
		t.Errorf("without time the leader was asked %d times, with %v", l.asked, err)
	}
}

// A read is repeated when there was no answer or no leader, as long as there is time.
func TestRetryRead(t *testing.T) {
	none := &jetstream.APIError{ErrorCode: codeNoLeader}
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		answer, err := retryRead(t.Context(), func(ctx context.Context) (int, error) {
			switch asked++; asked {
			case 1, 2:
				<-ctx.Done()
				return 0, ctx.Err()
			case 3, 4, 5:
				return 0, none
			}
			return asked, nil
		})
		if answer != 6 || err != nil {
			t.Errorf("the answer is %d, %v; want the sixth", answer, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*firstTry)
		defer cancel()
		if _, err := retryRead(ctx, func(context.Context) (int, error) { return 0, none }); !errors.Is(err, none) || ctx.Err() == nil {
			t.Errorf("without a leader it ended before its time, with %v", err)
		}
		if _, err := retryRead(t.Context(), func(context.Context) (int, error) { return 0, jetstream.ErrMsgNotFound }); !errors.Is(err, jetstream.ErrMsgNotFound) {
			t.Errorf("an answer became %v", err)
		}
	})
}
