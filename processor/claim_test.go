package processor

import (
	"errors"
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
)

// token is the part of an Owner that a store compares.
type token struct {
	member   string
	instance uint64
	epoch    uint64
}

func (k token) owner(id shardset.ID, epochs bool) Owner {
	return Owner{Member: k.member, Instance: k.instance, Epochs: epochs, Lease: shardset.Lease{ID: id, Epoch: k.epoch}}
}

// fencingStores are the stores that fence by claim, each fresh for one test.
func fencingStores(t *testing.T) map[string]Checkpoints {
	t.Helper()
	return map[string]Checkpoints{"memory": NewMemoryCheckpoints(), "file": openStore(t, t.TempDir())}
}

func TestClaim(t *testing.T) {
	a5, b6 := token{"a", 1, 5}, token{"b", 2, 6}
	type step struct {
		do      string // "load" or "save"
		by      token
		refused bool
	}
	tests := []struct {
		name   string
		epochs bool
		steps  []step
	}{
		{"save without load", true, []step{{"save", a5, true}}},
		{"save after load", true, []step{{"load", a5, false}, {"save", a5, false}, {"save", a5, false}}},
		{"a later claim refuses the earlier owner", true, []step{
			{"load", a5, false}, {"save", a5, false},
			{"load", b6, false}, {"save", a5, true}, {"save", b6, false}, {"save", a5, true},
		}},
		{"an older epoch cannot claim", true, []step{
			{"load", b6, false}, {"load", a5, true}, {"save", a5, true}, {"save", b6, false},
		}},
		{"without epochs the last load wins", false, []step{
			{"load", b6, false}, {"load", a5, false}, {"save", b6, true}, {"save", a5, false},
		}},
		{"without epochs one instance still counts its own", false, []step{
			{"load", token{"a", 1, 6}, false}, {"load", a5, true}, {"save", token{"a", 1, 6}, false},
		}},
		{"the same owner loads again", true, []step{{"load", a5, false}, {"load", a5, false}, {"save", a5, false}}},
		{"equal epochs: the last load wins", true, []step{
			{"load", a5, false}, {"load", token{"b", 2, 5}, false}, {"save", a5, true}, {"save", token{"b", 2, 5}, false},
		}},
		{"a token is all of its parts: member", true, []step{{"load", a5, false}, {"save", token{"b", 1, 5}, true}}},
		{"a token is all of its parts: instance", true, []step{{"load", a5, false}, {"save", token{"a", 2, 5}, true}}},
		{"a token is all of its parts: lower epoch", true, []step{{"load", a5, false}, {"save", token{"a", 1, 4}, true}}},
		{"a token is all of its parts: higher epoch", true, []step{{"load", a5, false}, {"save", token{"a", 1, 6}, true}}},
	}
	for _, tt := range tests {
		for name, store := range fencingStores(t) {
			t.Run(tt.name+"/"+name, func(t *testing.T) {
				id := shardset.ID{Log: "orders", Number: 7}
				var want Position
				for i, st := range tt.steps {
					o := st.by.owner(id, tt.epochs)
					var err error
					if st.do == "load" {
						var got Position
						got, _, err = store.Load(t.Context(), o)
						if err == nil && got != want {
							t.Fatalf("step %d: %v loads %q, want %q", i, st.by, got, want)
						}
					} else {
						p := Position(rune('a' + i))
						if err = store.Save(t.Context(), o, p); err == nil {
							want = p
						}
					}
					if got := errors.Is(err, ErrNotOwner); got != st.refused || err != nil && !got {
						t.Fatalf("step %d: %s by %v: error %v, want refused %t", i, st.do, st.by, err, st.refused)
					}
				}
			})
		}
	}
}

// A refused save stores nothing, and a claim counts for its own shard only.
func TestClaimIsPerShard(t *testing.T) {
	a5, b6 := token{"a", 1, 5}, token{"b", 2, 6}
	for name, store := range fencingStores(t) {
		t.Run(name, func(t *testing.T) {
			if f, ok := store.(Fencer); !ok || !f.FencesCommits() {
				t.Error("the store does not say that it fences")
			}
			ids := []shardset.ID{{Log: "orders"}, {Log: "orders", Number: 1}}
			mustLoad(t, store, a5.owner(ids[0], true))
			mustLoad(t, store, a5.owner(ids[1], true))
			mustLoad(t, store, b6.owner(ids[1], true))
			mustSave(t, store, a5.owner(ids[0], true), "mine")
			if err := store.Save(t.Context(), a5.owner(ids[1], true), "not mine"); !errors.Is(err, ErrNotOwner) {
				t.Errorf("save by the former owner: %v, want %v", err, ErrNotOwner)
			}
			if p, ok := mustLoad(t, store, b6.owner(ids[1], true)); ok {
				t.Errorf("the refused position %q is stored", p)
			}
		})
	}
}

// A store that was just opened has no claims, so it accepts an epoch below one from before:
// the service may have lost its epochs too.
func TestClaimEndsWithTheStore(t *testing.T) {
	dir, id := t.TempDir(), shardset.ID{Log: "orders", Number: 7}
	old, younger := token{"a", 1, 9}.owner(id, true), token{"a", 2, 1}.owner(id, true)
	f := openStore(t, dir)
	mustLoad(t, f, old)
	mustSave(t, f, old, "p1")
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	f = openStore(t, dir)
	if err := f.Save(t.Context(), old, "p2"); !errors.Is(err, ErrNotOwner) {
		t.Errorf("save without a load in this store: %v, want %v", err, ErrNotOwner)
	}
	if p, _ := mustLoad(t, f, younger); p != "p1" {
		t.Errorf("loaded %q, want p1", p)
	}
}

// A load that fails claims nothing.
func TestClaimNeedsTheLoadToSucceed(t *testing.T) {
	dir, id := t.TempDir(), shardset.ID{Log: "orders", Number: 7}
	a5, b6 := token{"a", 1, 5}.owner(id, true), token{"b", 2, 6}.owner(id, true)
	f := openStore(t, dir)
	mustLoad(t, f, a5)
	mustSave(t, f, a5, "p1")
	damage(t, dir, id)
	var corrupt *corruptError
	if _, _, err := f.Load(t.Context(), b6); !errors.As(err, &corrupt) {
		t.Fatalf("load of a damaged file: %v, want it damaged", err)
	}
	if err := f.Save(t.Context(), b6, "p2"); !errors.Is(err, ErrNotOwner) {
		t.Errorf("save after the failed load: %v, want %v", err, ErrNotOwner)
	}
	mustSave(t, f, a5, "p3")
}
