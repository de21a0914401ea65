package group

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// A restored group whose members join and leave under ever new names remembers none of those that
// left: the store keeps their tombstones.
func TestRestoredGroupsForgetFormerMembers(t *testing.T) {
	g, err := Restore(time.Time{}, &State{Config: Config{TTL: time.Second, FirstEpoch: 10}, Generation: 10})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		b := shardset.Heartbeat{Member: fmt.Sprintf("m%03d", i)}
		b.Instance, b.Seq = 5, 1
		if _, err := g.Beat(time.Time{}, b); err != nil {
			t.Fatal(err)
		}
		b.Seq++
		if err := g.Leave(time.Time{}, b); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(g.tombstones); n > 0 {
		t.Errorf("it knows the tombstones of %d members", n)
	}
}
