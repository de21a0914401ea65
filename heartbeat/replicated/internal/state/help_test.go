package state_test

import (
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

const rigTTL = 10 * time.Second

var simStart = time.Unix(1_000_000_000, 0)

// list is the shards 0 to n-1, without parents.
func list(n int) []shardset.Shard {
	shards := make([]shardset.Shard, n)
	for i := range shards {
		shards[i].ID.Number = i
	}
	return shards
}

func id(n int) shardset.ID { return shardset.ID{Number: n} }
