package postgres

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/shardset"
)

// Reads create no schema: neither reads and watches of a store, nor the calls of a client
// without shards.
func TestLookingMakesNoSchema(t *testing.T) {
	needServer(t)
	t.Parallel()
	cfg := groupConfig(t)
	cfg.Schema = ownSchema(t)
	s := dial(t, cfg)
	for _, k := range []replicated.Key{document, record("a"), {Kind: replicated.KindCheckpoint, Name: "orders/0"}} {
		if v, err := s.Get(t.Context(), k); err != nil || v.Revision != 0 {
			t.Errorf("there is a %s: %+v, %v", k, v, err)
		}
	}
	if records, next, err := s.OlderRecords(t.Context(), time.Second); err != nil || len(records) > 0 || next >= 0 {
		t.Errorf("overdue are %v, the next in %v, %v", records, next, err)
	}
	for _, kind := range []replicated.Kind{replicated.KindDocument, replicated.KindRecord} {
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		told := 0
		err := s.Watch(ctx, kind, func(e replicated.Event) {
			told++
			stop()
			if e.Key != (replicated.Key{}) {
				t.Errorf("of nothing a watch tells %v", e)
			}
		})
		if told != 1 {
			t.Errorf("a watch of the %ss told %d times: %v", kind, told, err)
		}
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, snapshot := c.Snapshot(t.Context())
	_, beat := c.Beat(t.Context(), shardset.Heartbeat{Member: "a", Instance: 1, Seq: 1})
	for what, err := range map[string]error{"Snapshot": snapshot, "Beat": beat, "Create": c.Create(t.Context())} {
		if !errors.Is(err, heartbeat.ErrGroupNotFound) {
			t.Errorf("%s: %v, want ErrGroupNotFound", what, err)
		}
	}
	var made bool
	err = shared.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)`, cfg.Schema).Scan(&made)
	if err != nil || made {
		t.Errorf("looking has made the schema: %v, %v", made, err)
	}
}

// A watch that started before its schema existed reports the first writes.
func TestWatchBeforeTheSchema(t *testing.T) {
	needServer(t)
	t.Parallel()
	cfg := groupConfig(t)
	cfg.Schema = ownSchema(t)
	watching, writing := dial(t, cfg), dial(t, cfg)
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
	defer stop()
	var want uint64
	err := watching.Watch(ctx, replicated.KindRecord, func(e replicated.Event) {
		switch {
		case e.Key == (replicated.Key{}):
			want = swap(t, writing, record("a"), 0, "x")
		case e.Key == record("a") && e.Value.Revision == want:
			stop()
		default:
			t.Errorf("it tells %v", e)
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("what was written is not told: %v", err)
	}
}
