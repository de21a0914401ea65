package heartbeattest

import (
	"errors"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

func instanceCases() []testCase {
	return []testCase{
		{name: "Instances/newer wins", needs: heartbeat.Guarantees{AckedRevoke: true}, run: instancesNewer},
		{name: "Instances/unknown", except: heartbeat.Guarantees{AckedRevoke: true}, run: instancesUnknown},
	}
}

// Of two processes under one name the newer one is the member. The older one gets ErrReplaced at its
// next heartbeat, and its commits are refused.
func instancesNewer(k *kit) {
	older := k.join("a")[0]
	owners := map[shardset.ID]processor.Owner{}
	for id, r := range older.runs {
		owners[id] = r.owner
	}
	older.crash() // for the ledger only: no service can stop the process before its next heartbeat
	newer := k.member("a")
	k.until(k.patience, "the newer process has all shards", holding(newer, k.ids...), newer)

	k.until(k.patience, "the older process learns that it was replaced", func() bool { return older.replaced }, older, newer)
	var replaced *shardset.ReplacedError
	if err := older.err; !errors.Is(err, heartbeat.ErrReplaced) || !errors.As(err, &replaced) || replaced.Newest != newer.tracker.Instance() {
		k.Errorf("the older process got %v (%+v), want a ReplacedError with instance %d", err, replaced, newer.tracker.Instance())
	}
	if k.fences() {
		for _, id := range k.ids {
			newer.beat()
			newer.commit(id, "newer")
			older.refused("a newer process has the name", owners[id], "older")
			newer.stored(id, "newer")
		}
	}
	k.during(k.patience, "the newer process has all shards", holding(newer, k.ids...), newer)
}

// A service that does not know instances treats both processes as one member.
func instancesUnknown(k *kit) {
	one := k.join("a")[0]
	one.crash()
	two := k.member("a")
	k.until(k.patience, "both processes get the same answer", func() bool {
		return one.err == nil && two.err == nil && sameGrants(one.answer.Grants, two.answer.Grants) && len(two.answer.Grants) == len(k.ids)
	}, one, two)
}
