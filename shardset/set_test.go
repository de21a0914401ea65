package shardset

import (
	"slices"
	"testing"
	"testing/quick"
)

func TestSet(t *testing.T) {
	ids := []ID{{"b", 1}, {"a", 10}, {"a", 9}, {"b", 1}}
	s := NewSet(ids...)
	if got, want := s.String(), "{a/9 a/10 b/1}"; got != want {
		t.Errorf("NewSet(%v) = %s, want %s", ids, got, want)
	}
	if s.Len() != 3 || !s.Has(ID{"a", 10}) || s.Has(ID{"a", 1}) || s.Has(ID{"", 1}) {
		t.Errorf("%s: Len = %d, Has(a/10) = %v, Has(a/1) = %v", s, s.Len(), s.Has(ID{"a", 10}), s.Has(ID{"a", 1}))
	}
	if got := slices.Collect(s.All()); !slices.Equal(got, s.IDs()) {
		t.Errorf("All walks %v, IDs is %v", got, s.IDs())
	}
	var zero Set
	if zero.String() != "{}" || zero.Len() != 0 || zero.Has(ID{}) || !zero.Equal(NewSet()) {
		t.Errorf("the zero Set is %s with %d shards, want the empty set", zero, zero.Len())
	}
}

// A Set shares nothing with its maker's slice or its reader's.
func TestSetIsImmutable(t *testing.T) {
	ids := []ID{{"a", 1}, {"a", 2}}
	s := NewSet(ids...)
	ids[0] = ID{"z", 9}
	s.IDs()[1] = ID{"z", 9}
	if got, want := s.String(), "{a/1 a/2}"; got != want {
		t.Errorf("after writing to both slices the set is %s, want %s", got, want)
	}
}

func TestDiff(t *testing.T) {
	for _, c := range []struct{ old, new, added, removed Set }{
		{},
		{new: NewSet(ids("a", 2)...), added: NewSet(ids("a", 2)...)},
		{old: NewSet(ids("a", 2)...), removed: NewSet(ids("a", 2)...)},
		{old: NewSet(ids("a", 2)...), new: NewSet(ids("a", 2)...)},
		{
			old:     NewSet(ID{"a", 1}, ID{"a", 2}, ID{"b", 0}),
			new:     NewSet(ID{"", 5}, ID{"a", 2}, ID{"a", 3}, ID{"c", 0}),
			added:   NewSet(ID{"", 5}, ID{"a", 3}, ID{"c", 0}),
			removed: NewSet(ID{"a", 1}, ID{"b", 0}),
		},
	} {
		added, removed := Diff(c.old, c.new)
		if !added.Equal(c.added) || !removed.Equal(c.removed) {
			t.Errorf("Diff(%s, %s) = +%s -%s, want +%s -%s", c.old, c.new, added, removed, c.added, c.removed)
		}
	}
}

// The twin is a map, which needs no order to be right.
func TestDiffLikeAMap(t *testing.T) {
	// Small numbers make both sides overlap; most random IDs never would.
	ids := func(raw []uint8) []ID {
		out := make([]ID, len(raw))
		for i, r := range raw {
			out[i] = ID{Log: []string{"", "a", "b", "ab"}[r%4], Number: int(r / 4 % 16)}
		}
		return out
	}
	twin := func(ids []ID) map[ID]bool {
		m := map[ID]bool{}
		for _, id := range ids {
			m[id] = true
		}
		return m
	}
	minus := func(a, b map[ID]bool) Set {
		var out []ID
		for id := range a {
			if !b[id] {
				out = append(out, id)
			}
		}
		return NewSet(out...)
	}
	property := func(rawOld, rawNew []uint8) bool {
		old, new := ids(rawOld), ids(rawNew)
		o, n := twin(old), twin(new)
		so, sn := NewSet(old...), NewSet(new...)
		added, removed := Diff(so, sn)
		if so.Len() != len(o) || sn.Len() != len(n) || !added.Equal(minus(n, o)) || !removed.Equal(minus(o, n)) {
			t.Logf("Diff(%s, %s) = +%s -%s", so, sn, added, removed)
			return false
		}
		for id := range n {
			if !sn.Has(id) || so.Has(id) != o[id] {
				t.Logf("Has(%s) is wrong in %s or %s", id, so, sn)
				return false
			}
		}
		return slices.IsSortedFunc(added.ids, ID.Compare) && slices.IsSortedFunc(removed.ids, ID.Compare)
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 2000}); err != nil {
		t.Error(err)
	}
}
