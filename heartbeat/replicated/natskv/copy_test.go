package natskv_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/shardset"
)

// A group moves from a single server into a cluster, with its checkpoints. Other groups do
// not.
func TestCopy(t *testing.T) {
	ctx := soon(t)
	from, to := alone().config(), trio().config()
	from.Conn, to.Conn = alone().connect(t, 0), trio().connect(t, 1)
	if err := natskv.Copy(ctx, from, to); err == nil || !strings.Contains(err.Error(), "there is no such group") {
		t.Errorf("a copy of a group that does not exist returned %v", err)
	}
	source, target := newStore(t, from), newStore(t, to)
	swap(t, source, document, 0, "the group")
	for i := range 100 {
		at := swap(t, source, checkpoint("orders."+strconv.Itoa(i)), 0, strconv.Itoa(i))
		if i == 50 {
			if err := source.Delete(ctx, checkpoint("orders.50"), at); err != nil {
				t.Fatal(err)
			}
		}
	}
	swap(t, target, checkpoint("orders.7"), 0, "of a copy that was interrupted")
	if err := natskv.Copy(ctx, from, to); err != nil {
		t.Fatal(err)
	}
	if v := get(t, target, document); string(v.Data) != "the group" {
		t.Errorf("the document is %q", v.Data)
	}
	for i := range 100 {
		want := strconv.Itoa(i)
		if i == 50 {
			want = ""
		}
		if v := get(t, target, checkpoint("orders."+strconv.Itoa(i))); string(v.Data) != want {
			t.Errorf("checkpoint %d is %q, want %q", i, v.Data, want)
		}
	}
	if err := natskv.Copy(ctx, from, to); err == nil || !strings.Contains(err.Error(), "the group exists") {
		t.Errorf("a copy over a group returned %v", err)
	}
	if err := natskv.Copy(ctx, natskv.Config{}, to); err == nil || !strings.Contains(err.Error(), "from") {
		t.Errorf("a copy from nowhere returned %v", err)
	}
	if err := natskv.Copy(ctx, from, natskv.Config{}); err == nil || !strings.Contains(err.Error(), "to") {
		t.Errorf("a copy to nowhere returned %v", err)
	}
}

// A client of the group can use the copy.
func TestCopyGoesOn(t *testing.T) {
	ctx := soon(t)
	from, to := alone().config(), alone().config()
	from.Conn, to.Conn = alone().connect(t, 0), alone().connect(t, 0)
	from.Shards = shardset.Range("orders", 3)
	first, err := natskv.New(from)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if err := first.Create(ctx); err != nil {
		t.Fatal(err)
	}
	if err := natskv.Copy(ctx, from, to); err != nil {
		t.Fatal(err)
	}
	second, err := natskv.New(to)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if s, err := second.Snapshot(ctx); err != nil || len(s.Shards) != 3 {
		t.Errorf("the copy has %d shards, %v; want 3", len(s.Shards), err)
	}
}
