package processor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
)

func openStore(t testing.TB, dir string) *FileCheckpoints {
	t.Helper()
	f, err := OpenFileCheckpoints(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() }) // most tests have closed it
	return f
}

func mustLoad(t testing.TB, store Checkpoints, o Owner) (Position, bool) {
	t.Helper()
	p, ok, err := store.Load(t.Context(), o)
	if err != nil {
		t.Fatalf("load shard %s: %v", o.Lease.ID, err)
	}
	return p, ok
}

func mustSave(t testing.TB, store Checkpoints, o Owner, p Position) {
	t.Helper()
	if err := store.Save(t.Context(), o, p); err != nil {
		t.Fatalf("save shard %s: %v", o.Lease.ID, err)
	}
}

func ownerOf(id shardset.ID) Owner { return token{"a", 1, 1}.owner(id, true) }

// dirNames returns what is in the directory besides the lock file.
func dirNames(t testing.TB, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != lockName {
			names = append(names, e.Name())
		}
	}
	return names
}

var oddPositions = []Position{
	"7", "MTYzNjk5NjU4NDQ1MjY2NDI0Mg==", " ", "\n", "\n\nshard orders/8\n", "\x00", "\xff\xfe\x00 not UTF-8 \xc3",
	"rollcall checkpoint 1\ncrc32c 00000000\n", "日誌", Position(strings.Repeat("x", maxPosition)),
	Position(strings.Repeat("\n", maxPosition)),
}

func TestFileRoundTrip(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	ids := []shardset.ID{{}, {Number: 7}, {Log: "orders", Number: 7}, {Log: "Orders", Number: 7}, {Log: "con.x", Number: 1},
		{Log: strings.Repeat("Z", 128), Number: math.MaxInt}}
	f := openStore(t, dir)
	for _, id := range ids {
		if p, ok := mustLoad(t, f, ownerOf(id)); ok || p != "" {
			t.Errorf("shard %s: %q, %t before any save", id, p, ok)
		}
	}
	for i := range oddPositions {
		want := func(j int) Position { return oddPositions[(i+j)%len(oddPositions)] }
		for j, id := range ids {
			mustSave(t, f, ownerOf(id), want(j))
		}
		if i%2 == 0 { // both from the open store and from a new one
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			f = openStore(t, dir)
		}
		for j, id := range ids {
			if got, ok := mustLoad(t, f, ownerOf(id)); !ok || got != want(j) {
				t.Errorf("shard %s: %.40q, %t, want %.40q", id, got, ok, want(j))
			}
		}
	}
	if got := len(dirNames(t, dir)); got != len(ids) {
		t.Errorf("%d files for %d shards: %q", got, len(ids), dirNames(t, dir))
	}
}

func TestFileRefusesBadArguments(t *testing.T) {
	dir := t.TempDir()
	f, o := openStore(t, dir), ownerOf(shardset.ID{Number: 1})
	mustLoad(t, f, o)
	if err := f.Save(t.Context(), o, ""); !errors.Is(err, ErrEmptyPosition) {
		t.Errorf("empty position: %v, want %v", err, ErrEmptyPosition)
	}
	err := f.Save(t.Context(), o, Position(strings.Repeat("x", maxPosition+1)))
	if err == nil || !strings.Contains(err.Error(), "65537 bytes") || !strings.Contains(err.Error(), "65536") {
		t.Errorf("long position: %v, want both sizes", err)
	}
	for _, id := range []shardset.ID{{Log: "../x"}, {Log: "a/b"}, {Log: "a\\b"}, {Log: "a\x00"}, {Number: -1}} {
		if _, _, err := f.Load(t.Context(), ownerOf(id)); !errors.Is(err, shardset.ErrInvalidID) {
			t.Errorf("load of %q: %v, want %v", id, err, shardset.ErrInvalidID)
		}
		if err := f.Save(t.Context(), ownerOf(id), "p"); !errors.Is(err, shardset.ErrInvalidID) {
			t.Errorf("save of %q: %v, want %v", id, err, shardset.ErrInvalidID)
		}
	}
	if names := dirNames(t, dir); len(names) != 0 {
		t.Errorf("refused saves left %q", names)
	}
}

func TestFileConcurrentSaves(t *testing.T) {
	dir, shards := t.TempDir(), shardset.Range("orders", 8)
	f := openStore(t, dir)
	for _, s := range shards {
		mustLoad(t, f, ownerOf(s.ID))
	}
	var wg sync.WaitGroup
	for _, s := range shards {
		id := s.ID
		for g := range 3 {
			wg.Go(func() {
				for i := range 10 {
					p := Position(fmt.Sprintf("%s by %d: %s", id, g, strings.Repeat("x", i*100)))
					if err := f.Save(t.Context(), ownerOf(id), p); err != nil {
						t.Error(err)
					}
					if got, _, err := f.Load(t.Context(), ownerOf(id)); err != nil || !strings.HasPrefix(string(got), id.String()+" by ") {
						t.Errorf("shard %s: loaded %.40q, %v", id, got, err)
					}
				}
			})
		}
	}
	wg.Wait()
	if names := dirNames(t, dir); len(names) != len(shards) || slices.ContainsFunc(names, func(n string) bool { return strings.HasSuffix(n, tempSuffix) }) {
		t.Errorf("the directory has %q", names)
	}
}

func TestFileHonoursEndedContext(t *testing.T) {
	f, o := openStore(t, t.TempDir()), ownerOf(shardset.ID{})
	mustLoad(t, f, o)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrLeaseLost)
	for range 20 { // select is random
		if err := f.Save(ctx, o, "p"); !errors.Is(err, ErrLeaseLost) {
			t.Fatalf("save: %v, want %v", err, ErrLeaseLost)
		}
		if _, _, err := f.Load(ctx, o); !errors.Is(err, ErrLeaseLost) {
			t.Fatalf("load: %v, want %v", err, ErrLeaseLost)
		}
	}
	if p, ok := mustLoad(t, f, o); ok {
		t.Errorf("%q is stored", p)
	}
}

func BenchmarkFileSave(b *testing.B) {
	f, o := openStore(b, b.TempDir()), ownerOf(shardset.ID{Log: "orders", Number: 7})
	mustLoad(b, f, o)
	for b.Loop() {
		mustSave(b, f, o, "MTYzNjk5NjU4NDQ1MjY2NDI0Mg==")
	}
}
