package group_test

import (
	"errors"
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
)

func TestExpiryEvictionAndRejoin(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	r.wait(rigTTL - 1)
	r.want("a@1 a@1")
	r.wait(1)
	r.want("-@1 -@1")
	b.say()
	r.want("b@2 b@2")
	if err := a.try(); !errors.Is(err, shardset.ErrEvicted) {
		t.Fatalf("a beats after its end: %v, want ErrEvicted", err)
	}
	r.want("b@2 b@2")
	// A new instance that reports shards is an unknown member, too.
	a.beat.Instance = 2
	if err := a.try(); !errors.Is(err, shardset.ErrEvicted) {
		t.Fatalf("a rejoins with shards: %v, want ErrEvicted", err)
	}
	a.beat.Held, a.beat.Generation = nil, 0
	a.say()
	r.want("b@2 b>a@2")
}

func TestGravesKeepLateMessagesOut(t *testing.T) {
	r := newRig(t, 1)
	a := r.peer("a")
	a.beat.Instance = 5
	a.say()
	r.wait(rigTTL)
	for _, c := range []struct {
		instance uint64
		want     error
	}{{4, shardset.ErrReplaced}, {5, shardset.ErrEvicted}, {6, nil}} {
		b := shardset.Heartbeat{Member: "a"}
		b.Instance, b.Seq = c.instance, 100
		if _, err := r.g.Beat(r.now, b); !errors.Is(err, c.want) {
			t.Errorf("instance %d after the end of 5: %v, want %v", c.instance, err, c.want)
		}
		r.check()
	}
	r.want("a@2")
}

func TestGraveIsForgotten(t *testing.T) {
	r := newRig(t, 1)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	a.release(0)
	a.leave()
	for range 4 { // beats of b, so that time has somebody to pass for
		r.wait(rigTTL - 1)
		b.say()
	}
	a.beat.Held = nil
	a.say()
}

func TestReplacedInstance(t *testing.T) {
	r := newRig(t, 3)
	old := r.peer("a")
	old.say()
	r.want("a@1 a@1 a@1")

	// The newer process of that name holds nothing, but a processor of shard 1 that
	// did not end. All shards come back to it, each under a new epoch.
	fresh := r.peer("a")
	fresh.beat.Instance = 2
	fresh.beat.Held = []shardset.Grant{{ID: id(1), Epoch: 1}}
	fresh.say()
	r.want("a@2 a@2 a@2")

	var replaced *shardset.ReplacedError
	if err := old.try(); !errors.As(err, &replaced) || replaced.Newest != 2 {
		t.Errorf("the older instance is told %v, want to be replaced by 2", err)
	}
	r.want("a@2 a@2 a@2")
}

func TestReplacedInstanceInTransfer(t *testing.T) {
	for _, c := range []struct {
		name string
		held []shardset.Grant
		want string
	}{
		{"released", nil, "a@2 b@3"},
		{"deaf", []shardset.Grant{{ID: id(1), Epoch: 1}}, "a@2 a>b@2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 2)
			a, b := r.peer("a"), r.peer("b")
			a.say()
			b.say()
			r.want("a@1 a>b@1")
			fresh := r.peer("a")
			fresh.beat.Instance, fresh.beat.Held = 2, c.held
			fresh.say()
			r.want(c.want)
		})
	}
}

// To evict an instance that is not the member's, or a stranger, does nothing.
func TestEvict(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.peer("a"), r.peer("b")
	r.settle(a, b)
	r.want("a@1 b@2")
	for _, instance := range []uint64{0, 2} {
		r.g.Evict(r.now, "a", instance)
	}
	r.g.Evict(r.now, "c", 1)
	r.check()
	r.want("a@1 b@2")
	r.g.Evict(r.now, "a", 1)
	r.check()
	r.want("b@2 b@2")
	if err := a.try(); !errors.Is(err, shardset.ErrEvicted) {
		t.Errorf("the heartbeat of an evicted member: %v, want %v", err, shardset.ErrEvicted)
	}
}
