package postgres

import (
	"context"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Purge removes everything of a deleted group, and nothing of other groups.
func TestPurge(t *testing.T) {
	cfg := groupConfig(t)
	client := func(group string) *replicated.Client {
		cfg := cfg
		cfg.Group, cfg.TTL, cfg.Shards = group, time.Second, shardset.Range("orders", 2)
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	c, other := client(cfg.Group), client(cfg.Group+" other")
	if err := other.Create(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
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
	if _, _, err := c.Load(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	if err := c.Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"document", "record", "checkpoint"} {
		var n int
		err := shared.QueryRow(t.Context(), `SELECT count(*) FROM `+cfg.Schema+`.`+table+` WHERE grp = $1`, cfg.Group).Scan(&n)
		if err != nil || n > 0 {
			t.Errorf("of its %ss %d are left: %v", table, n, err)
		}
	}
	if _, err := other.Snapshot(t.Context()); err != nil {
		t.Errorf("the other group: %v", err)
	}
}
