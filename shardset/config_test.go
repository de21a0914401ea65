package shardset_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
)

func TestConfigErrorListsEveryFault(t *testing.T) {
	faults := &shardset.ConfigError{Config: "memory.Config"}
	if err := faults.Err(); err != nil {
		t.Fatalf("Err without a fault: %v", err)
	}
	faults.Add("TTL", "is %v; it must not be negative", -1)
	faults.Add("Shards[3].ID", "is wrong: %w", shardset.ErrInvalidID)
	err := fmt.Errorf("worker: %w", faults.Err())

	var got *shardset.ConfigError
	if !errors.As(err, &got) || len(got.Faults) != 2 || got.Faults[1].Field != "Shards[3].ID" {
		t.Fatalf("got %#v", got)
	}
	if !errors.Is(err, shardset.ErrInvalidID) {
		t.Error("the error does not match what a fault wraps")
	}
	if want := "bad memory.Config: TTL is -1; it must not be negative; Shards[3].ID is wrong: invalid shard id"; got.Error() != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestCheckName(t *testing.T) {
	for name, want := range map[string]string{
		"":                       "empty",
		"worker-1":               "",
		"Büro 7/ü":               "",
		strings.Repeat("x", 128): "",
		strings.Repeat("x", 129): "longer than 128 bytes",
		"a\nb":                   "cannot be printed",
		"a\x00":                  "cannot be printed",
		"a\xff":                  "not UTF-8",
		"\u200b":                 "cannot be printed",
	} {
		err := shardset.CheckName(name)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", name, err, want)
		}
	}
}
