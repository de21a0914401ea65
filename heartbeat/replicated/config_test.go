package replicated_test

import (
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

func TestConfigSaysEverythingAtOnce(t *testing.T) {
	_, err := replicated.New(nil, replicated.Config{TTL: -1, Shards: []shardset.Shard{{ID: shardset.ID{Number: -1}}}})
	if err == nil {
		t.Fatal("a bad Config was taken")
	}
	for _, word := range []string{"store", "Group", "TTL", "Shards"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not name %s: %v", word, err)
		}
	}
}

// A TTL that has lost its unit is refused, and so is a document with one.
func TestTTLWithoutUnit(t *testing.T) {
	store := memstore.New().Dial("a")
	if _, err := replicated.New(store, replicated.Config{Group: "orders", TTL: 20}); err == nil || !strings.Contains(err.Error(), "TTL is 20ns") {
		t.Errorf("a TTL of 20 ns: %v", err)
	}
	if _, err := replicated.New(store, replicated.Config{Group: "orders", TTL: group.MaxTTL + 1}); err == nil {
		t.Error("a TTL of more than a year was taken")
	}
	for _, ttl := range []time.Duration{replicated.MinTTL, group.MaxTTL} {
		if _, err := replicated.New(store, replicated.Config{Group: "orders", TTL: ttl}); err != nil {
			t.Errorf("a TTL of %v: %v", ttl, err)
		}
	}
	g, err := group.New(group.Config{TTL: 20})
	if err != nil {
		t.Fatal(err)
	}
	doc := state.Document{Group: g}
	if _, err := state.DecodeDocument(doc.Encode()); err == nil {
		t.Error("a document with a TTL of 20 ns was read")
	}
}

func TestDefaults(t *testing.T) {
	c, err := replicated.New(memstore.New().Dial("a"), replicated.Config{Group: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	info := c.Info()
	if info.Group != "orders" || info.Interval != 5*time.Second || info.Guarantees.Ordered || !info.Guarantees.Push {
		t.Errorf("Info is %+v", info)
	}
}
