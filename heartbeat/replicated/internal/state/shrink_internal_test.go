package state

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// A process that makes all the steps, of a group whose members come and go under ever new
// names, remembers those of now.
func TestReplicaForgetsFormerMembers(t *testing.T) {
	g, err := group.New(group.Config{TTL: time.Second, FirstEpoch: 10})
	if err != nil {
		t.Fatal(err)
	}
	r, now, revision := NewReplica(), noTime.Add(time.Hour), uint64(1)
	d := Document{Group: g}
	v, err := ReadVersion(d.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Adopt(now, revision, v); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		name := fmt.Sprintf("m%03d", i)
		for _, s := range []Standing{StandingAlive, StandingLeft} {
			rec := Record{Standing: s, Version: 1, Heartbeat: shardset.Heartbeat{Member: name}}
			rec.Instance = 5
			revision++
			r.Observe(now, name, revision, &rec)
			step(t, r, now, &revision)
		}
		now = now.Add(time.Second)
	}
	if n := len(r.draft.versions); n > 5 {
		t.Errorf("it knows the versions of %d members", n)
	}
	if r.ForgetOrphanedRecords(now); len(r.records) > 5 {
		t.Errorf("it knows the records of %d members", len(r.records))
	}
	for i := range 100 { // showings that never end
		name := fmt.Sprintf("n%03d", i)
		rec := Record{Standing: StandingAlive, Version: 1, Heartbeat: shardset.Heartbeat{Member: name}}
		rec.Instance = 5
		revision++
		r.Observe(now, name, revision, &rec)
		r.BeginReload(func(string, uint64) bool { return false })
	}
	if n := len(r.earlier); n > 5 {
		t.Errorf("it waits for the records of %d members", n)
	}
}
