package natskv

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// version is a message of a consumer with a number and a revision.
func version(number, revision int, name string) *nats.Msg {
	return &nats.Msg{
		Subject: "$KV.M_test.orders.m." + name, Sub: &nats.Subscription{},
		Reply: fmt.Sprintf("$JS.ACK.KV_M_test.consumer.1.%d.%d.1700000000000000000.9", revision, number),
	}
}

// alive is the server's heartbeat after a number of messages.
func alive(number int) *nats.Msg {
	return &nats.Msg{Header: nats.Header{"Status": {"100"}, "Nats-Last-Consumer": {fmt.Sprint(number)}}}
}

// A watch ends at the first sign that a message is missing. It has caught up when every
// existing key is reported, or is gone according to the leader.
func TestOnMessage(t *testing.T) {
	for _, c := range []struct {
		name     string
		messages []*nats.Msg
		left     []string // what the leader has at each sign of life, by name; "?": it does not say
		told     []string // revisions; "up" when it has caught up
		want     error
	}{
		{"all in order", []*nats.Msg{version(1, 10, "a"), version(2, 12, "b"), alive(2), version(3, 13, "a")}, nil, []string{"10", "12", "up", "13"}, nil},
		{"one overtaken", []*nats.Msg{version(1, 10, "a"), version(2, 13, "a"), version(3, 14, "b")}, nil, []string{"10", "13", "14", "up"}, nil},
		{"one gone without a trace", []*nats.Msg{version(1, 10, "a"), alive(1)}, []string{"ac"}, []string{"10", "up"}, nil},
		{"the node behind", []*nats.Msg{alive(0), alive(0), version(1, 10, "a"), alive(1), alive(1), version(2, 12, "b")}, []string{"ab", "ab", "ab", "ab"}, []string{"10", "12", "up"}, nil},
		{"the node behind for good", []*nats.Msg{version(1, 10, "a"), alive(1), alive(1), alive(1)}, []string{"ab", "ab", "ab"}, []string{"10"}, errBehind},
		{"nobody to ask", []*nats.Msg{version(1, 10, "a"), alive(1), alive(1), alive(1), alive(1)}, []string{"?", "?", "?", "a"}, []string{"10", "up"}, nil},
		{"a message lost", []*nats.Msg{version(1, 10, "a"), version(3, 12, "b")}, nil, []string{"10"}, errGap},
		{"the last one lost", []*nats.Msg{version(1, 10, "a"), alive(2)}, nil, []string{"10"}, errGap},
		{"the consumer made anew", []*nats.Msg{version(1, 10, "a"), alive(0)}, nil, []string{"10"}, errGap},
		{"the stream gone back", []*nats.Msg{version(1, 10, "a"), version(2, 9, "b")}, nil, []string{"10"}, errReplaced},
		{"a key of somebody else", []*nats.Msg{version(1, 10, "a.b"), alive(1)}, []string{""}, []string{"up"}, nil},
	} {
		s := testStore(t)
		var told []string
		subjects := func(names string) map[string]uint64 {
			all := map[string]uint64{}
			for _, name := range names {
				all["$KV.M_test.orders.m."+string(name)] = 1
			}
			return all
		}
		w := &watch{store: s, kind: replicated.KindRecord, bucket: s.records, missing: subjects("ab"), sink: func(e replicated.Event) {
			if e.Key == (replicated.Key{}) {
				told = append(told, "up")
			} else {
				told = append(told, fmt.Sprint(e.Value.Revision))
			}
		}}
		w.listSubjects = func(context.Context) (map[string]uint64, error) {
			left := c.left[0]
			if c.left = c.left[1:]; left == "?" {
				return nil, context.DeadlineExceeded
			}
			return subjects(left), nil
		}
		var err error
		for i := 0; i < len(c.messages) && err == nil; i++ {
			err = w.onMessage(t.Context(), c.messages[i])
		}
		if !errors.Is(err, c.want) || !slices.Equal(told, c.told) {
			t.Errorf("%s: it told %v and ended with %v; want %v and %v", c.name, told, err, c.told, c.want)
		}
	}
	w := &watch{}
	if err := w.onMessage(t.Context(), &nats.Msg{Header: nats.Header{"Status": {"409"}, "Description": {"Consumer Deleted"}}}); err == nil {
		t.Error("a deleted consumer is no reason to end")
	}
	if err := w.onMessage(t.Context(), &nats.Msg{Subject: "a", Sub: &nats.Subscription{}, Reply: "elsewhere"}); err == nil {
		t.Error("a message that is no consumer's is no reason to end")
	}
}

// A watch ends after three intervals without a message. If the process itself has missed
// several intervals, it notes one.
func TestSilence(t *testing.T) {
	w := &watch{}
	for range maxMissed - 1 {
		if err := w.onTick(t.Context()); err != nil {
			t.Fatalf("after %d beats: %v", w.missed, err)
		}
	}
	if err := w.onTick(t.Context()); !errors.Is(err, errNoIdleHeartbeat) {
		t.Errorf("after %d beats: %v, want %v", w.missed, err, errNoIdleHeartbeat)
	}
}
