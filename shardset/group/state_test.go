package group_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset/group"
)

// roundTrip fails the test unless a group comes back from its State as it was. Every test
// of this package calls it after every step. Leases are not part of a State, and a group
// that recovers is none that a store keeps.
func roundTrip(t testing.TB, g *group.Group) {
	t.Helper()
	state := g.State()
	back, err := group.Restore(time.Time{}, state)
	if err != nil {
		t.Fatalf("the state of a group cannot be restored: %v", err)
	}
	if again := back.State(); !reflect.DeepEqual(again, state) {
		t.Fatalf("the state was\n%+v\nand comes back as\n%+v", state, again)
	}
	want, got := timeless(g.Snapshot()), timeless(back.Snapshot())
	if back.Check() == nil { // else it recovers
		back.Expire(time.Time{})
		if again := back.State(); !reflect.DeepEqual(again, state) {
			t.Fatalf("who restores a group would share its shards out anew: the state was\n%+v\nand is\n%+v", state, again)
		}
	}
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("the group was\n%+v\nand comes back as\n%+v", want, got)
	}
}

func timeless(s group.Snapshot) group.Snapshot {
	for i := range s.Members {
		s.Members[i].Expires = time.Time{}
	}
	s.Complete = false
	return s
}
