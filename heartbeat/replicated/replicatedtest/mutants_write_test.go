package replicatedtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func mutants() []mutant {
	return slices.Concat(swapMutants(), deleteMutants(), nameMutants(), dataMutants(), readMutants(),
		watchMutants(), watchLifeMutants(), contextMutants(), quietMutants(), clockMutants(), listMutants())
}

func swapMutants() []mutant {
	return []mutant{
		{name: "the last write wins", by: []string{"Swap/conflicts", "Race/counter", "Delete/conflicts"}, build: func(b *broken) {
			b.over(func(k replicated.Key, _ uint64, data []byte) (uint64, []byte) { return b.now(k).Revision, data })
		}},
		{name: "over nothing is over anything", by: []string{"Race/create", "Swap/conflicts", "Delete/made again"}, build: func(b *broken) {
			b.over(func(k replicated.Key, old uint64, data []byte) (uint64, []byte) {
				if old == 0 {
					old = b.now(k).Revision
				}
				return old, data
			})
		}},
		{name: "over anything is over nothing", by: []string{"Swap/conflicts"}, build: func(b *broken) {
			b.over(func(k replicated.Key, old uint64, data []byte) (uint64, []byte) {
				if b.now(k).Revision == 0 {
					old = 0
				}
				return old, data
			})
		}},
		{name: "a later revision is good enough", by: []string{"Swap/conflicts"}, build: func(b *broken) {
			b.over(func(k replicated.Key, old uint64, data []byte) (uint64, []byte) {
				if now := b.now(k).Revision; now != 0 && old > now {
					old = now
				}
				return old, data
			})
		}},
		{name: "conflicts are errors like any other", by: []string{"Swap/conflicts", "Race/counter"}, build: func(b *broken) {
			b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				r, err := b.own().Swap(ctx, k, old, data)
				if err != nil {
					err = errors.New(err.Error())
				}
				return r, err
			}
		}},
		{name: "a conflict writes", by: []string{"Swap/conflicts"}, build: func(b *broken) {
			b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				r, err := b.own().Swap(ctx, k, old, data)
				if errors.Is(err, replicated.ErrConflict) {
					_, _ = b.own().Swap(ctx, k, b.now(k).Revision, data)
				}
				return r, err
			}
		}},
		{name: "first a look, then a write", by: []string{"Race/counter", "Race/create"}, build: func(b *broken) {
			b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				if now := b.now(k).Revision; now != old {
					return 0, fmt.Errorf("at %d: %w", now, replicated.ErrConflict)
				}
				time.Sleep(time.Millisecond)
				return b.force(ctx, k, data)
			}
		}},
		{name: "nothing is written", by: []string{"Swap/create", "Swap/replace", "Revisions/many keys"}, build: func(b *broken) {
			b.swap = func(_ context.Context, _ replicated.Key, old uint64, _ []byte) (uint64, error) { return old + 1, nil }
		}},
		{name: "each revision is one more than the last", by: []string{"Revisions/rise", "Delete/made again"}, build: func(b *broken) {
			b.byCreation()
		}},
		{name: "the same data is no write", by: []string{"Swap/same data"}, build: func(b *broken) {
			b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				if v := b.now(k); v.Data != nil && bytes.Equal(v.Data, data) {
					return v.Revision, nil
				}
				return b.own().Swap(ctx, k, old, data)
			}
		}},
		{name: "all kinds are one", by: []string{"Swap/kinds"}, build: func(b *broken) {
			one := func(k replicated.Key) replicated.Key {
				if k.Kind == replicated.KindCheckpoint {
					k.Kind = replicated.KindRecord
				}
				return k
			}
			b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				return b.own().Swap(ctx, one(k), old, data)
			}
			b.get = func(ctx context.Context, k replicated.Key) (replicated.Value, error) { return b.own().Get(ctx, one(k)) }
		}},
		{name: "there is always something", by: []string{"Swap/absent"}, build: func(b *broken) {
			b.get = func(ctx context.Context, k replicated.Key) (replicated.Value, error) {
				v, err := b.own().Get(ctx, k)
				if v.Data == nil {
					v = replicated.Value{Data: []byte{}, Revision: 1}
				}
				return v, err
			}
		}},
	}
}

// byCreation numbers the versions of a key from 1 after each creation of the key.
func (b *broken) byCreation() {
	born := func(k replicated.Key) uint64 { b.mu.Lock(); defer b.mu.Unlock(); return b.created[k] }
	b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
		if old != 0 {
			old += born(k)
		}
		r, err := b.own().Swap(ctx, k, old, data)
		if err != nil {
			return 0, err
		}
		if old == 0 {
			b.mu.Lock()
			b.created[k] = r - 1
			b.mu.Unlock()
		}
		return r - born(k), nil
	}
	b.delete = func(ctx context.Context, k replicated.Key, old uint64) error {
		return b.own().Delete(ctx, k, old+born(k))
	}
	b.get = func(ctx context.Context, k replicated.Key) (replicated.Value, error) {
		v, err := b.own().Get(ctx, k)
		if v.Revision != 0 {
			v.Revision -= born(k)
		}
		return v, err
	}
}

func deleteMutants() []mutant {
	return []mutant{
		{name: "nothing is deleted", by: []string{"Delete/gone", "Fresh/after deletion", "Watch/deletions"}, build: func(b *broken) {
			b.delete = func(context.Context, replicated.Key, uint64) error { return nil }
		}},
		{name: "deletions look at no revision", by: []string{"Delete/conflicts", "Race/delete"}, build: func(b *broken) {
			b.delete = func(ctx context.Context, k replicated.Key, _ uint64) error {
				for {
					err := b.own().Delete(ctx, k, b.now(k).Revision)
					if !errors.Is(err, replicated.ErrConflict) {
						return err
					}
				}
			}
		}},
		{name: "what was deleted cannot be made again", by: []string{"Delete/made again", "Revisions/rise"}, build: func(b *broken) {
			b.delete = func(ctx context.Context, k replicated.Key, old uint64) error {
				b.mu.Lock()
				b.deleted[k] = true
				b.mu.Unlock()
				return b.own().Delete(ctx, k, old)
			}
			b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				b.mu.Lock()
				gone := b.deleted[k]
				b.mu.Unlock()
				if gone && old == 0 {
					return 0, replicated.ErrConflict
				}
				return b.own().Swap(ctx, k, old, data)
			}
		}},
		{name: "a deleted version can be written over", by: []string{"Delete/conflicts"}, build: func(b *broken) {
			b.over(func(k replicated.Key, old uint64, data []byte) (uint64, []byte) {
				if b.now(k).Revision == 0 && b.undeleted(k).Revision == old {
					old = 0
				}
				return old, data
			})
		}},
	}
}
