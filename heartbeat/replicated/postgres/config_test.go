package postgres

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/rollcall-go/rollcall/shardset"
)

// nowhere is a pool without a server. It is never used.
func nowhere(t *testing.T) *pgxpool.Pool {
	p, err := pgxpool.New(t.Context(), "postgres://nobody@127.0.0.1:1/nothing")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestNewNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := New(Config{
		Schema: "Rollcall; DROP", Group: "a\x00b", TTL: -time.Second,
		Shards: []shardset.Shard{{ID: shardset.ID{Number: -1}}},
	})
	var refused *shardset.ConfigError
	if !errors.As(err, &refused) {
		t.Fatalf("a Config full of faults: %v", err)
	}
	var fields []string
	for _, f := range refused.Faults {
		fields = append(fields, f.Field)
	}
	if want := []string{"Pool", "Schema", "Group", "TTL", "Shards"}; !slices.Equal(fields, want) {
		t.Errorf("the faults are of %v, want %v", fields, want)
	}
	_, err = New(Config{Pool: nowhere(t)})
	if err == nil || strings.Count(err.Error(), "Group") != 1 {
		t.Errorf("a Config without a group gave %v", err)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	p := nowhere(t)
	for _, c := range []struct {
		group, schema string
		good          bool
	}{
		{"g", "", true},
		{strings.Repeat("g", 128), "a", true},
		{"Gruppe \"ä\"; '", "_x9", true},
		{"g", strings.Repeat("s", 63), true},
		{strings.Repeat("g", 129), "", false},
		{"", "", false},
		{"\xff", "", false},
		{"g", strings.Repeat("s", 64), false},
		{"g", "pg_x", false},
		{"g", "9x", false},
		{"g", "Upper", false},
		{"g", "a b", false},
		{"g", "a\n", false},
	} {
		_, err := NewStore(Config{Pool: p, Group: c.group, Schema: c.schema})
		if (err == nil) != c.good {
			t.Errorf("group %q in schema %q: %v", c.group, c.schema, err)
		}
	}
}

// New does no I/O: it works without a server.
func TestNewStartsNothing(t *testing.T) {
	t.Parallel()
	p := nowhere(t)
	c, err := New(Config{Pool: p, Group: "orders"})
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	if n := p.Stat().NewConnsCount(); n != 0 {
		t.Errorf("New made %d connections", n)
	}
}

func TestChannelsAndLocks(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, names := range [][2]string{{"s", "g"}, {"sg", ""}, {"s", strings.Repeat("long", 32)}, {"s", "G"}} {
		for _, k := range []string{channel(names[0], names[1], document.Kind), channel(names[0], names[1], record("").Kind)} {
			if len(k) > 63 || seen[k] || strings.ToLower(k) != k {
				t.Errorf("the channel %q of %q is too long, taken, or not plain", k, names)
			}
			seen[k] = true
		}
	}
	if lockKey("a", "bc") == lockKey("ab", "c") {
		t.Error("two names have one lock")
	}
	for _, name := range []string{"", "a", "\x00\xff'\"\\", strings.Repeat("x", 128)} {
		p := payload(name)
		if got, ok := parsePayload(p); !ok || got != name || len(p) > 200 {
			t.Errorf("the payload of %q is %q, which is %q", name, p, got)
		}
	}
	if _, ok := parsePayload("no name!"); ok {
		t.Error("a payload of somebody else was read")
	}
}
