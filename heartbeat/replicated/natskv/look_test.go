package natskv

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/shardset"
)

// streams returns the number of streams of the account.
func streams(t *testing.T, s *store) int {
	t.Helper()
	info, err := api(t, s.documents).AccountInfo(soon(t))
	if err != nil {
		t.Fatal(err)
	}
	return info.Streams
}

// Reads create no bucket: neither reads and watches of a store, nor the calls of a client
// without shards.
func TestLookingMakesNoBucket(t *testing.T) {
	server := lone(t)
	s := open(t, server, Config{})
	document := replicated.Key{Kind: replicated.KindDocument}
	for _, k := range []replicated.Key{document, recordOf("a"), {Kind: replicated.KindCheckpoint, Name: "orders/0"}} {
		if v, err := s.Get(soon(t), k); err != nil || v.Revision != 0 {
			t.Errorf("there is a %s: %+v, %v", k, v, err)
		}
	}
	if keys, err := s.Keys(soon(t), replicated.KindCheckpoint); err != nil || len(keys) > 0 {
		t.Errorf("there are checkpoints: %v, %v", keys, err)
	}
	for _, kind := range []replicated.Kind{replicated.KindDocument, replicated.KindRecord} {
		if there := told(t, s, kind); len(there) > 0 {
			t.Errorf("a watch of the %ss tells %v", kind, there)
		}
	}
	c, err := New(Config{Conn: s.conn, Group: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, err = c.Snapshot(soon(t))
	_, beat := c.Beat(soon(t), shardset.Heartbeat{Member: "a", Instance: 1, Seq: 1})
	if err := c.Create(soon(t)); !errors.Is(err, heartbeat.ErrGroupNotFound) {
		t.Errorf("a client without shards creates a group: %v", err)
	}
	for what, err := range map[string]error{"Snapshot": err, "Beat": beat} {
		if !errors.Is(err, heartbeat.ErrGroupNotFound) {
			t.Errorf("%s: %v, want ErrGroupNotFound", what, err)
		}
	}
	if n := streams(t, s); n != 0 {
		t.Errorf("looking has made %d buckets", n)
	}
}

// A watch that started before its bucket existed reports the first writes.
func TestWatchBeforeTheBucket(t *testing.T) {
	server := lone(t)
	watching, writing := open(t, server, Config{}), open(t, server, Config{})
	for _, k := range []replicated.Key{{Kind: replicated.KindDocument}, recordOf("a")} {
		ctx, stop := context.WithCancel(soon(t))
		events, ended := make(chan replicated.Event, 100), make(chan error, 1)
		go func() { ended <- watching.Watch(ctx, k.Kind, func(e replicated.Event) { events <- e }) }()
		wait := func() (e replicated.Event) {
			t.Helper()
			select {
			case e = <-events:
			case err := <-ended:
				t.Fatalf("the watch ended: %v", err)
			case <-time.After(20 * time.Second):
				t.Fatal("nothing is told")
			}
			return e
		}
		if e := wait(); e.Key != (replicated.Key{}) {
			t.Fatalf("of nothing it tells %v", e)
		}
		first := swapped(t, writing, k, 0)
		second := swapped(t, writing, k, first)
		for e := (replicated.Event{}); e.Value.Revision != second; {
			if e = wait(); e.Key != k {
				t.Fatalf("it tells %v, want %v", e, k)
			}
		}
		stop()
		<-ended
	}
}
