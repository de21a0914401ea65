package group_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

func TestJoinAndSteadyState(t *testing.T) {
	r := newRig(t, 3)
	r.want("-@0 -@0 -@0")
	a := r.peer("a")
	a.say()
	r.want("a@1 a@1 a@1")
	generation := r.g.Generation()
	for range 5 {
		r.wait(rigTTL - time.Second)
		a.say()
	}
	r.want("a@1 a@1 a@1")
	if got := r.g.Generation(); got != generation {
		t.Errorf("the generation went from %d to %d while nothing changed", generation, got)
	}
	answer, err := r.g.Beat(r.now, shardset.Heartbeat{Member: "b"})
	if err != nil || answer.TTL != rigTTL || len(answer.Grants) != 0 {
		t.Errorf("b is answered %+v, %v; want a TTL of %v and no shards yet", answer, err, rigTTL)
	}
}

func TestTransferWaitsForTheHolder(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.want("a@1 a>b@1")
	a.say() // hears of the revocation, and drains
	b.say()
	r.want("a@1 a>b@1")
	if len(b.told) != 0 {
		t.Fatalf("b is told %v while a holds it", b.told)
	}
	a.release()
	a.say()
	r.want("a@1 b@2")
	b.say()
	if want := (shardset.Grant{ID: id(1), Epoch: 2}); len(b.told) != 1 || b.told[0] != want {
		t.Errorf("b is told %v, want [%v]", b.told, want)
	}
}

func TestOmissionReleasesOnlyWhatWasHeardOf(t *testing.T) {
	for _, c := range []struct {
		name  string
		heard bool // of the revocation
		want  string
	}{
		{"before the revocation was heard of", false, "a@1 a>b@1"},
		{"after it", true, "a@1 b@2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, 2)
			a, b := r.peer("a"), r.peer("b")
			a.say()
			b.say() // revokes shard 1
			if c.heard {
				a.say()
			}
			a.release(1)
			a.say()
			r.want(c.want)
		})
	}
}

func TestOmissionOfAGrantThatWasNotHeardOf(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	r.settle(a, b)
	r.want("a@1 b@2")
	b.release(1)
	b.leave() // a gets shard 1 and does not know
	r.want("a@1 a@3")
	a.say() // lists shard 0 only
	r.want("a@1 a@3")
}

func TestHeldShardGivenUp(t *testing.T) {
	r := newRig(t, 2)
	a := r.peer("a")
	a.say()
	a.release(1) // its processor failed: it wants a fresh start
	a.say()
	r.want("a@1 a@2")
}

func TestUnnumberedMembers(t *testing.T) {
	r := newRig(t, 2)
	say := func(name string, held ...int) []shardset.Grant {
		t.Helper()
		b := shardset.Heartbeat{Member: name}
		for _, n := range held {
			b.Held = append(b.Held, shardset.Grant{ID: id(n)})
		}
		a, err := r.g.Beat(r.now, b)
		if err != nil {
			t.Fatal(err)
		}
		r.check()
		return a.Grants
	}
	say("a")
	say("a", 0, 1)
	r.want("a@1 a@1")
	if got := say("a"); len(got) != 2 { // a restarted process, which holds nothing yet
		t.Errorf("a restarted process is told %v, want its two shards", got)
	}
	r.want("a@1 a@1")
	say("a", 0, 1)
	say("b")
	r.want("a@1 a>b@1")
	say("a", 0) // the omission is all that such a member can say
	r.want("a@1 b@2")
}

func TestStaleSequenceNumbers(t *testing.T) {
	r := newRig(t, 2)
	a := r.peer("a")
	a.say()
	a.say()
	old := a.beat
	for _, seq := range []uint64{2, 1} {
		old.Seq, old.Held = seq, nil
		if _, err := r.g.Beat(r.now, old); !errors.Is(err, shardset.ErrStaleHeartbeat) {
			t.Errorf("heartbeat %d after 2: %v, want ErrStaleHeartbeat", seq, err)
		}
		if err := r.g.Leave(r.now, old); !errors.Is(err, shardset.ErrStaleHeartbeat) {
			t.Errorf("leaving with %d after 2: %v, want ErrStaleHeartbeat", seq, err)
		}
	}
	r.want("a@1 a@1")
	// It does not renew the lease either.
	r.wait(rigTTL / 2)
	if _, err := r.g.Beat(r.now, old); err == nil {
		t.Error("a stale heartbeat was answered")
	}
	r.wait(rigTTL / 2)
	r.want("-@1 -@1")
}

// Without instance numbers two processes under one name are one member: neither
// takes the other's shards, and nothing tells them apart.
func TestTwoProcessesUnderOneName(t *testing.T) {
	r := newRig(t, 2)
	for range 3 {
		for _, held := range [][]shardset.Grant{nil, {{ID: id(0)}, {ID: id(1)}}} {
			b := shardset.Heartbeat{Member: "a"}
			b.Held = held
			if _, err := r.g.Beat(r.now, b); err != nil {
				t.Fatal(err)
			}
			r.check()
			r.want("a@1 a@1")
		}
	}
}

func TestBadHeartbeats(t *testing.T) {
	bad := []shardset.Heartbeat{
		{},
		{Member: strings.Repeat("x", 129)},
		{Member: "a\n"},
		{Member: "\xff"},
		{Member: "a", Weight: -1},
		{Member: "a", Weight: shardset.MaxWeight + 1},
		{Member: "a", Held: []shardset.Grant{{ID: id(-1)}}},
		{Member: "a", Held: []shardset.Grant{{ID: shardset.ID{Log: "a/b"}}}},
	}
	r := newRig(t, 1)
	for _, b := range bad {
		if _, err := r.g.Beat(r.now, b); err == nil {
			t.Errorf("Beat(%+v) was answered", b)
		}
		if err := r.g.Leave(r.now, b); err == nil {
			t.Errorf("Leave(%+v) was taken", b)
		}
		r.check()
	}
	if n := len(r.g.Snapshot().Members); n != 0 {
		t.Errorf("bad heartbeats made %d members", n)
	}
	a := r.peer("a")
	a.say()
	// Shards that the group does not know, and ones listed twice, are no harm.
	a.beat.Held = append(a.beat.Held, shardset.Grant{ID: id(77), Epoch: 9}, shardset.Grant{ID: id(0), Epoch: 1})
	a.say()
	r.want("a@1")
}
