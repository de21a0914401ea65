package group_test

import (
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset/group"
)

func TestSetTTLRefuses(t *testing.T) {
	r := newRig(t, 2)
	before := r.g.Generation()
	for _, ttl := range []time.Duration{0, -1, group.MaxTTL + 1} {
		if err := r.g.SetTTL(r.now, ttl); err == nil {
			t.Errorf("a TTL of %v was taken", ttl)
		}
	}
	if err := r.g.SetTTL(r.now, rigTTL); err != nil || r.g.Generation() != before {
		t.Errorf("the same TTL: %v, generation %d after %d", err, r.g.Generation(), before)
	}
}

// A later instance of a name has seen nothing: what the one before it has shown counts for
// that one.
func TestTTLOfALaterInstance(t *testing.T) {
	r := newRig(t, 2)
	a, b := r.peer("a"), r.peer("b")
	a.say()
	b.say()
	if err := r.g.SetTTL(r.now, 3*rigTTL); err != nil {
		t.Fatal(err)
	}
	b.say()
	b.say()
	b.beat.Instance, b.beat.Seq, b.beat.Generation, b.beat.Held = b.beat.Instance+1, 0, 0, nil
	b.say()
	a.say()
	a.say()
	if s := r.g.Snapshot(); s.Lease != rigTTL || s.Expiry != 3*rigTTL {
		t.Errorf("leases of %v, expiry after %v", s.Lease, s.Expiry)
	}
	b.say()
	if s := r.g.Snapshot(); s.Lease != 3*rigTTL || s.Expiry != 3*rigTTL {
		t.Errorf("then leases of %v, expiry after %v", s.Lease, s.Expiry)
	}
}

// The members of a group that is deleted while its TTL changes are waited for as long as
// the group would have waited.
func TestSuccessorOfAChangedTTL(t *testing.T) {
	r := newRig(t, 2)
	r.peer("a").say()
	if err := r.g.SetTTL(r.now, rigTTL/2); err != nil {
		t.Fatal(err)
	}
	if got := r.g.Expiry(); got != rigTTL {
		t.Errorf("members of the deleted group are waited for %v, want %v", got, rigTTL)
	}
	next, err := r.g.Successor(time.Time{}, group.Config{TTL: time.Second}, list(2))
	if err != nil {
		t.Fatal(err)
	}
	if got := next.Expiry(); got != rigTTL {
		t.Errorf("they are waited for %v, want %v", got, rigTTL)
	}
}
