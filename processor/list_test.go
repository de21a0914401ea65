package processor

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
)

// TestListCheckpoints lists what was saved of one log, and only that, and claims nothing.
func TestListCheckpoints(t *testing.T) {
	for name, store := range fencingStores(t) {
		t.Run(name, func(t *testing.T) {
			lister := store.(Lister)
			if list, err := lister.ListCheckpoints(t.Context(), "orders"); err != nil || len(list) != 0 {
				t.Errorf("an empty store lists %+v, %v", list, err)
			}
			began := time.Now().Add(-2 * time.Second) // what some file systems round to
			for _, id := range []shardset.ID{
				{Log: "orders", Number: 0}, {Log: "orders", Number: 12}, {Log: "Orders", Number: 3}, {Log: "orders-1", Number: 4}, {Number: 5},
			} {
				mustLoad(t, store, ownerOf(id))
				mustSave(t, store, ownerOf(id), Position("at "+id.String()))
			}
			mustLoad(t, store, ownerOf(shardset.ID{Log: "orders", Number: 7})) // never saved
			for log, want := range map[string][]string{
				"orders": {"orders/0", "orders/12"}, "Orders": {"Orders/3"}, "orders-1": {"orders-1/4"}, "": {"5"}, "none": nil,
			} {
				list, err := lister.ListCheckpoints(t.Context(), log)
				if err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, s := range list {
					got = append(got, s.ID.String())
					if s.Position != Position("at "+s.ID.String()) || s.Updated.Before(began) || s.Updated.After(time.Now().Add(time.Second)) {
						t.Errorf("%q: it lists %+v", log, s)
					}
				}
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("%q: it lists %q, want %q", log, got, want)
				}
			}
			mustSave(t, store, ownerOf(shardset.ID{Log: "orders"}), "later")
		})
	}
}

// A damaged file affects only its own shard. Files with other names are ignored.
func TestListDamagedCheckpoints(t *testing.T) {
	dir := t.TempDir()
	f := openStore(t, dir)
	good, bad := shardset.ID{Log: "orders", Number: 1}, shardset.ID{Log: "orders", Number: 2}
	for _, id := range []shardset.ID{good, bad} {
		mustLoad(t, f, ownerOf(id))
		mustSave(t, f, ownerOf(id), "9")
	}
	for name, text := range map[string]string{
		fileName(bad): "torn", "shard-orders@x": "?", "shard-orders@-1": "?", "shard-orders@01": "?", "README": "?", "shard-orders@3.tmp": "?",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := f.ListCheckpoints(t.Context(), "orders")
	slices.SortFunc(list, func(a, b Checkpoint) int { return strings.Compare(a.ID.String(), b.ID.String()) })
	if err != nil || len(list) != 2 || list[0].ID != good || list[0].Position != "9" || list[1] != (Checkpoint{ID: bad}) {
		t.Errorf("it lists %+v, %v", list, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.ListCheckpoints(t.Context(), "orders"); !errors.Is(err, os.ErrClosed) {
		t.Errorf("a closed store says %v", err)
	}
}
