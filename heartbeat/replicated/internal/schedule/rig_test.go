package schedule

import (
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

const rigTTL = 10 * time.Second

var rigStart = time.Unix(1_000_000_000, 0)

// newDocument returns the document of a group that has n shards and no members.
func newDocument(t testing.TB, n int, ttl time.Duration) []byte {
	t.Helper()
	g, err := group.New(group.Config{TTL: ttl, FirstEpoch: 1})
	if err != nil {
		t.Fatal(err)
	}
	shards := make([]shardset.Shard, n)
	for i := range shards {
		shards[i].ID = shardset.ID{Log: "orders", Number: i}
	}
	if err := g.SetShards(time.Time{}, shards); err != nil {
		t.Fatal(err)
	}
	d := state.Document{Group: g, Born: 1}
	return d.Encode()
}

// decoded is a version of a document as the shell reads it.
func decoded(t testing.TB, revision uint64, data []byte) Document {
	t.Helper()
	v, err := state.ReadVersion(data)
	if err != nil {
		t.Fatal(err)
	}
	return Document{Revision: revision, Exists: true, Version: v}
}

// decodedRecord is a record as a store has it.
func decodedRecord(t testing.TB, rec state.Record) *state.Record {
	t.Helper()
	r, err := state.DecodeRecord(rec.Member, rec.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return &r
}

// aRecord is the record of a member that speaks to the group of newDocument.
func aRecord(t testing.TB, member string, instance uint64) *state.Record {
	t.Helper()
	rec := state.Record{Standing: state.StandingAlive, Born: 1}
	rec.Member, rec.Instance = member, instance
	return decodedRecord(t, rec)
}

// newRig returns a Scheduler that knows a group of two shards, whose chance is none.
func newRig(t testing.TB, clock bool) *Scheduler {
	t.Helper()
	return New(Config{Group: "orders", TTL: rigTTL, RecordClock: clock, Random: func(n int64) int64 { return n / 2 }})
}
