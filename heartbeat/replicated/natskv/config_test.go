package natskv_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/shardset"
)

// All faults are reported at once, each with the name of its field.
func TestFaultyConfig(t *testing.T) {
	shards := shardset.Range("orders", 2)
	shards[1].ID = shards[0].ID
	_, err := natskv.New(natskv.Config{
		Group: "two words", Namespace: strings.Repeat("n", 65), Replicas: 2, TTL: -time.Second, Shards: shards,
	})
	var refused *shardset.ConfigError
	if !errors.As(err, &refused) {
		t.Fatalf("a Config full of faults: %v", err)
	}
	var fields []string
	for _, f := range refused.Faults {
		fields = append(fields, f.Field)
	}
	if want := []string{"Conn", "Group", "Namespace", "Replicas", "TTL", "Shards"}; !slices.Equal(fields, want) {
		t.Errorf("the faults are of %v, want %v", fields, want)
	}
	if _, err := natskv.NewStore(natskv.Config{Group: "orders", TTL: -1}); err == nil ||
		!strings.Contains(err.Error(), "Conn") || !strings.Contains(err.Error(), "TTL") {
		t.Errorf("a store without a connection and with a negative TTL: %v", err)
	}
	for _, group := range []string{"", ".", "a.b", "a b", "*", "é", strings.Repeat("g", 65)} {
		if _, err := natskv.New(natskv.Config{Conn: &nats.Conn{}, Group: group}); err == nil || !strings.Contains(err.Error(), "Group") {
			t.Errorf("the group %q: %v", group, err)
		}
	}
}

// A TTL that is shorter than a failover causes a warning.
func TestShortTTL(t *testing.T) {
	for ttl, want := range map[time.Duration]int{0: 0, 20 * time.Second: 0, 15 * time.Second: 0, 14 * time.Second: 1, time.Second: 1} {
		core, logs := observer.New(zapcore.WarnLevel)
		c, err := natskv.New(natskv.Config{Conn: &nats.Conn{}, Group: "orders", TTL: ttl, Logger: zap.New(core)})
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
		if logs.Len() != want {
			t.Errorf("a TTL of %v gave %d warnings, want %d", ttl, logs.Len(), want)
		}
	}
}

// New does no I/O: a connection without a server is no fault.
func TestNewWithoutServer(t *testing.T) {
	conn, err := nats.Connect("nats://127.0.0.1:1", natskv.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c, err := natskv.New(natskv.Config{Conn: conn, Group: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// Copy names the faults of both Configs.
func TestFaultyCopy(t *testing.T) {
	err := natskv.Copy(t.Context(), natskv.Config{Group: "a"}, natskv.Config{Conn: &nats.Conn{}, Group: "b", Replicas: 2})
	var refused *shardset.ConfigError
	if !errors.As(err, &refused) || len(refused.Faults) != 2 ||
		refused.Faults[0].Field != "from.Conn" || refused.Faults[1].Field != "to.Replicas" {
		t.Errorf("got %v", err)
	}
}
