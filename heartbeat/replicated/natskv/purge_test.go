package natskv

import (
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Purge removes everything of a deleted group, and nothing of other groups.
func TestPurge(t *testing.T) {
	server := lone(t)
	s := open(t, server, Config{TTL: time.Second})
	client := func(group string) *replicated.Client {
		c, err := New(Config{Conn: s.conn, Group: group, TTL: time.Second, Shards: shardset.Range("orders", 2)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	c, other := client("orders"), client("others")
	if err := other.Create(soon(t)); err != nil {
		t.Fatal(err)
	}
	ctx := soon(t)
	wake, err := c.Watch(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	report := shardset.Heartbeat{Member: "a", Instance: 1}
	for {
		report.Seq++
		a, err := c.Beat(ctx, report)
		if err != nil {
			t.Fatal(err)
		}
		report.Held, report.Generation = a.Grants, a.Generation
		if len(report.Held) > 0 {
			break
		}
		select {
		case <-wake:
		case <-time.After(250 * time.Millisecond): // a heartbeat's interval
		}
	}
	g := report.Held[0]
	owner := processor.Owner{Member: "a", Instance: 1, Lease: shardset.Lease{ID: g.ID, Epoch: g.Epoch}, Epochs: true}
	if _, _, err := c.Load(soon(t), owner); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(soon(t)); err != nil {
		t.Fatal(err)
	}
	if err := c.Purge(soon(t)); err != nil {
		t.Fatal(err)
	}
	for _, k := range []replicated.Key{
		{Kind: replicated.KindDocument}, recordOf("a"), {Kind: replicated.KindCheckpoint, Name: g.ID.String()},
	} {
		if v, err := s.Get(soon(t), k); err != nil || v.Data != nil {
			t.Errorf("the %s is left: %v, %v", k, v, err)
		}
	}
	if _, err := other.Snapshot(soon(t)); err != nil {
		t.Errorf("the other group: %v", err)
	}
}
