package natskv

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func TestConflictsAreKnown(t *testing.T) {
	for _, c := range []struct {
		name     string
		err      error
		conflict bool
		nobody   bool
	}{
		{"of one server", &jetstream.APIError{Code: 400, ErrorCode: 10071, Description: "wrong last sequence: 5"}, true, false},
		{"of a replicated stream", &jetstream.APIError{Code: 400, ErrorCode: 10164, Description: "wrong last sequence"}, true, false},
		{"of a bucket's update", jetstream.ErrKeyRevisionMismatch, true, false},
		{"of a bucket's create", jetstream.ErrKeyExists, true, false},
		{"no responders", nats.ErrNoResponders, false, true},
		{"no stream answers", jetstream.ErrNoStreamResponse, false, true},
		{"no stream", jetstream.ErrStreamNotFound, false, true},
		{"no stream, by its code", &jetstream.APIError{Code: 404, ErrorCode: 10059}, false, true},
		{"no message", jetstream.ErrMsgNotFound, false, false},
		{"no leader", &jetstream.APIError{Code: 503, ErrorCode: 10008}, false, false},
		{"too large", jetstream.ErrStreamMessageExceedsMaximum, false, false},
		{"out of space", &jetstream.APIError{Code: 503, ErrorCode: 10077}, false, false},
		{"too late", context.DeadlineExceeded, false, false},
		{"closed", nats.ErrConnectionClosed, false, false},
	} {
		for _, err := range []error{c.err, fmt.Errorf("nats: %w", c.err), errors.Join(errors.New("other"), c.err)} {
			if got := isConflict(err); got != c.conflict {
				t.Errorf("%s: %v is a conflict: %t", c.name, err, got)
			}
			if got := noStream(err); got != c.nobody {
				t.Errorf("%s: %v means that nobody was there: %t", c.name, err, got)
			}
			told := explain(context.Background(), "swap", replicated.Key{Kind: replicated.KindRecord, Name: "a"}, err)
			if errors.Is(told, replicated.ErrConflict) != c.conflict || !errors.Is(told, c.err) {
				t.Errorf("%s: it is told as %v", c.name, told)
			}
		}
	}
}

func TestContextComesFirst(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	err := explain(ctx, "get", replicated.Key{Kind: replicated.KindDocument}, nats.ErrTimeout)
	if !errors.Is(err, context.Canceled) || !errors.Is(err, nats.ErrTimeout) {
		t.Errorf("what failed after its context was cancelled is told as %v", err)
	}
}
