package replicatedtest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
)

func nameMutants() []mutant {
	same := func(name string) string { return name }
	list := []mutant{
		{name: "watches tell names as they are stored", by: []string{"Names/watched"}, build: func(b *broken) {
			b.keys(func(name string) string { return "x" + name }, same)
		}},
		{name: "keys are lost where there are many", by: []string{"Revisions/many keys"}, build: func(b *broken) {
			b.keys(func(name string) string { return strings.Replace(name, "member-3", "member-2", 1) }, same)
		}},
	}
	for what, change := range map[string]func(string) string{
		"case is folded":            strings.ToLower,
		"dots are lines":            func(name string) string { return strings.ReplaceAll(name, ".", "_") },
		"spaces are trimmed":        strings.TrimSpace,
		"a NUL ends a name":         func(name string) string { before, _, _ := strings.Cut(name, "\x00"); return before },
		"names are made valid":      func(name string) string { return strings.ToValidUTF8(name, "\ufffd") },
		"names have 127 bytes":      func(name string) string { return name[:min(len(name), 127)] },
		"percents are taken for it": func(name string) string { return strings.ReplaceAll(name, "%25", "%") },
	} {
		list = append(list, mutant{name: what, by: []string{"Names/apart"}, build: func(b *broken) { b.keys(change, same) }})
	}
	return append(list, mutant{name: "names are text", by: []string{"Names/apart"}, build: func(b *broken) {
		b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
			if !utf8.ValidString(k.Name) {
				return 0, errors.New("invalid byte sequence")
			}
			return b.own().Swap(ctx, k, old, data)
		}
	}})
}

func dataMutants() []mutant {
	return []mutant{
		{name: "data is text", by: []string{"Data/binary"}, build: func(b *broken) {
			b.over(func(_ replicated.Key, old uint64, data []byte) (uint64, []byte) {
				return old, bytes.ToValidUTF8(data, []byte("?"))
			})
		}},
		{name: "a NUL ends the data", by: []string{"Data/binary"}, build: func(b *broken) {
			b.get = func(ctx context.Context, k replicated.Key) (replicated.Value, error) {
				v, err := b.own().Get(ctx, k)
				v.Data, _, _ = bytes.Cut(v.Data, []byte{0})
				return v, err
			}
		}},
		{name: "data has 64 KB", by: []string{"Data/large"}, build: func(b *broken) {
			b.over(func(_ replicated.Key, old uint64, data []byte) (uint64, []byte) {
				return old, data[:min(len(data), 64<<10)]
			})
		}},
		{name: "data is the writer's own", by: []string{"Data/is kept"}, build: func(b *broken) {
			b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				b.mu.Lock()
				b.data[k] = data
				b.mu.Unlock()
				return b.own().Swap(ctx, k, old, data)
			}
			b.get = func(ctx context.Context, k replicated.Key) (replicated.Value, error) {
				v, err := b.own().Get(ctx, k)
				b.mu.Lock()
				defer b.mu.Unlock()
				if v.Data != nil {
					v.Data = b.data[k]
				}
				return v, err
			}
		}},
	}
}

func readMutants() []mutant {
	return []mutant{
		{name: "reads are stale", by: []string{"Fresh/reads", "Swap/replace"}, build: func(b *broken) {
			b.own().Adjust(func(f *memstore.Faults) { f.Stale = 10 * time.Millisecond })
		}},
		{name: "deletions are not read", by: []string{"Fresh/after deletion", "Delete/gone"}, build: func(b *broken) {
			b.get = func(ctx context.Context, k replicated.Key) (replicated.Value, error) {
				v, err := b.own().Get(ctx, k)
				if err == nil && v.Data == nil {
					v = b.undeleted(k)
				}
				return v, err
			}
		}},
	}
}

// undeleted returns the newest value that any link has written under a key.
func (b *broken) undeleted(k replicated.Key) replicated.Value {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.written[k]
}
