package shardset

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/quick"
)

// entriesOf holds grants, as a Tracker would.
func entriesOf(grants []Grant) []*entry {
	held := make([]*entry, len(grants))
	for i, g := range grants {
		held[i] = &entry{grant: g, state: StateHeld}
	}
	return held
}

func grantsOf(entries []*entry) []Grant {
	var grants []Grant
	for _, e := range entries {
		grants = append(grants, e.grant)
	}
	return grants
}

func values(list []*Grant) []Grant {
	var grants []Grant
	for _, g := range list {
		grants = append(grants, *g)
	}
	return grants
}

func pointers(list []Grant) []*Grant {
	var grants []*Grant
	for i := range list {
		grants = append(grants, &list[i])
	}
	return grants
}

func (d difference) String() string {
	var parts []string
	for _, list := range []struct {
		name   string
		grants []Grant
	}{{"start", values(d.start)}, {"revoke", grantsOf(d.revoke)}, {"regrant", grantsOf(d.regrant)}} {
		if len(list.grants) > 0 {
			parts = append(parts, list.name+" "+grantsText(list.grants))
		}
	}
	return strings.Join(parts, ", ")
}

func TestDiff(t *testing.T) {
	for _, c := range []struct{ name, held, assigned, want string }{
		{"nothing", "", "", ""},
		{"joining", "", "1@1 2@1", "start 1@1 2@1"},
		{"everything goes", "1@1 2@1", "", "revoke 1@1 2@1"},
		{"nothing new", "1@1 2@7", "1@1 2@7", ""},
		{"in front", "2@1 3@1", "1@1 2@1 3@1", "start 1@1"},
		{"behind", "1@1 2@1", "1@1 2@1 3@1", "start 3@1"},
		{"between", "1@1 3@1", "1@1 2@1 3@1", "start 2@1"},
		{"one of each", "1@1 2@1 3@1", "2@1 3@2 4@1", "start 4@1, revoke 1@1, regrant 3@1"},
		{"a lower epoch is another one too", "1@5", "1@4", "regrant 1@5"},
		{"a service without epochs", "1@0 2@0", "2@0 3@0", "start 3@0, revoke 1@0"},
		{"logs come before numbers", "a/10@1 b/1@1", "a/9@1 b/1@1", "start a/9@1, revoke a/10@1"},
	} {
		if got := diff(entriesOf(parseGrants(t, c.held)), parseGrants(t, c.assigned)).String(); got != c.want {
			t.Errorf("%s: held %q, assigned %q: %q, want %q", c.name, c.held, c.assigned, got, c.want)
		}
	}
}

// The twin looks every shard up in a map, and needs no order to be right.
func TestDiffLikeAMap(t *testing.T) {
	// Small numbers make both sides overlap; most random IDs never would.
	grants := func(raw []uint16) []Grant {
		var list []Grant
		for _, r := range raw {
			list = append(list, Grant{ID: ID{Log: []string{"", "a", "b", "ab"}[r%4], Number: int(r / 4 % 8)}, Epoch: uint64(r / 32 % 2)})
		}
		slices.SortStableFunc(list, compareGrants)
		return slices.CompactFunc(list, func(a, b Grant) bool { return a.ID == b.ID })
	}
	twin := func(held, assigned []Grant) (start, revoke, regrant []Grant) {
		has, may := map[ID]Grant{}, map[ID]Grant{}
		for _, g := range held {
			has[g.ID] = g
		}
		for _, g := range assigned {
			may[g.ID] = g
			if _, ok := has[g.ID]; !ok {
				start = append(start, g)
			}
		}
		for _, g := range held {
			switch a, ok := may[g.ID]; {
			case !ok:
				revoke = append(revoke, g)
			case a != g:
				regrant = append(regrant, g)
			}
		}
		return start, revoke, regrant
	}
	property := func(rawHeld, rawAssigned []uint16) bool {
		held, assigned := grants(rawHeld), grants(rawAssigned)
		start, revoke, regrant := twin(held, assigned)
		want := difference{pointers(start), entriesOf(revoke), entriesOf(regrant)}.String()
		if got := diff(entriesOf(held), assigned).String(); got != want {
			t.Logf("held %v, assigned %v: %q, want %q", held, assigned, got, want)
			return false
		}
		return true
	}
	if err := quick.Check(property, &quick.Config{MaxCount: 5000}); err != nil {
		t.Error(err)
	}
}

// 9 of 10 shards stay; the strings of the two sides are not the same ones.
func BenchmarkDiff(b *testing.B) {
	held := entriesOf(benchGrants(0, benchShards))
	assigned := benchGrants(benchShards/10, benchShards)
	b.ReportAllocs()
	for b.Loop() {
		if d := diff(held, assigned); len(d.start) != benchShards/10 || len(d.revoke) != benchShards/10 {
			b.Fatal(fmt.Sprint(len(d.start), " starts and ", len(d.revoke), " revocations"))
		}
	}
}
