package replicatedtest

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/memstore"
)

func contextMutants() []mutant {
	both := []string{"Context/cancelled", "Context/expired"}
	return []mutant{
		{name: "reads look at no context", by: both, build: func(b *broken) {
			b.get = func(ctx context.Context, k replicated.Key) (replicated.Value, error) {
				return b.own().Get(context.WithoutCancel(ctx), k)
			}
		}},
		{name: "writes are made before they look at the context", by: both, build: func(b *broken) {
			b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				r, err := b.own().Swap(context.WithoutCancel(ctx), k, old, data)
				if ctx.Err() != nil {
					return 0, ctx.Err()
				}
				return r, err
			}
		}},
		{name: "quiet writes look at no context", by: both, build: func(b *broken) {
			b.quietly = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				return b.own().SwapQuietly(context.WithoutCancel(ctx), k, old, data)
			}
		}},
		{name: "deletions look at no context", by: both, build: func(b *broken) {
			b.delete = func(ctx context.Context, k replicated.Key, old uint64) error {
				return b.own().Delete(context.WithoutCancel(ctx), k, old)
			}
		}},
		{name: "the end of a context is found late", by: both, build: func(b *broken) {
			b.get = func(ctx context.Context, k replicated.Key) (replicated.Value, error) {
				if ctx.Err() != nil {
					time.Sleep(time.Minute)
				}
				return b.own().Get(ctx, k)
			}
		}},
		{name: "a context's end is no special error", by: both, build: func(b *broken) {
			b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
				if ctx.Err() != nil {
					return memstore.ErrBroken
				}
				return b.own().Watch(ctx, kind, sink)
			}
		}},
		{name: "the clock looks at no context", by: both, build: func(b *broken) {
			b.older = func(ctx context.Context, age time.Duration) ([]replicated.Event, time.Duration, error) {
				return b.own().OlderRecords(context.WithoutCancel(ctx), age)
			}
		}},
	}
}

func quietMutants() []mutant {
	return []mutant{
		{name: "quiet writes look at no revision", by: []string{"Quiet/is a swap"}, build: func(b *broken) {
			b.quietly = func(ctx context.Context, k replicated.Key, _ uint64, data []byte) (uint64, error) {
				return b.own().SwapQuietly(ctx, k, b.now(k).Revision, data)
			}
		}},
		{name: "quiet writes make no revision", by: []string{"Quiet/is a swap"}, build: func(b *broken) {
			b.quietly = func(_ context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				if old == 0 {
					return b.own().SwapQuietly(context.Background(), k, old, data)
				}
				return old, nil
			}
		}},
		{name: "after a quiet write all are", by: []string{"Quiet/then a swap"}, build: func(b *broken) {
			quiet := false
			b.quietly = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				quiet = true
				return b.own().SwapQuietly(ctx, k, old, data)
			}
			b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				if quiet {
					return b.own().SwapQuietly(ctx, k, old, data)
				}
				return b.own().Swap(ctx, k, old, data)
			}
		}},
		{name: "quiet writes are no sign of life", by: []string{"Clock/quiet writes count"}, build: func(b *broken) {
			var last time.Time
			b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				last = time.Now()
				return b.own().Swap(ctx, k, old, data)
			}
			b.older = func(ctx context.Context, age time.Duration) ([]replicated.Event, time.Duration, error) {
				list, next, err := b.own().OlderRecords(ctx, age)
				if v := b.now(record("a")); time.Since(last) > age {
					list = append(list, replicated.Event{Key: record("a"), Value: v})
				}
				return list, next, err
			}
		}},
	}
}

// silence changes what the clock says.
func (b *broken) silence(change func(list []replicated.Event, next time.Duration, age time.Duration) ([]replicated.Event, time.Duration)) {
	b.older = func(ctx context.Context, age time.Duration) ([]replicated.Event, time.Duration, error) {
		list, next, err := b.own().OlderRecords(ctx, age)
		list, next = change(list, next, age)
		return list, next, err
	}
}

func clockMutants() []mutant {
	type events = []replicated.Event
	return []mutant{
		{name: "no record is ever old", by: []string{"Clock/records", "Clock/next"}, build: func(b *broken) {
			b.silence(func(_ events, next, _ time.Duration) (events, time.Duration) { return nil, next })
		}},
		{name: "all records are old", by: []string{"Clock/records"}, build: func(b *broken) {
			b.silence(func(list events, next, _ time.Duration) (events, time.Duration) {
				for _, name := range []string{"a", "b"} {
					if v := b.now(record(name)); v.Data != nil && len(list) == 0 {
						list = append(list, replicated.Event{Key: record(name), Value: v})
					}
				}
				return list, next
			})
		}},
		{name: "documents are listed too", by: []string{"Clock/records"}, build: func(b *broken) {
			b.silence(func(list events, next, _ time.Duration) (events, time.Duration) {
				if v := b.now(document); v.Data != nil && len(list) > 0 {
					list = append(list, replicated.Event{Key: document, Value: v})
				}
				return list, next
			})
		}},
		{name: "old records have no revision", by: []string{"Clock/records", "Clock/next"}, build: func(b *broken) {
			b.silence(func(list events, next, _ time.Duration) (events, time.Duration) {
				for i := range list {
					list[i].Value.Revision = 0
				}
				return list, next
			})
		}},
		{name: "no record will be old", by: []string{"Clock/next"}, build: func(b *broken) {
			b.silence(func(list events, _, _ time.Duration) (events, time.Duration) { return list, -1 })
		}},
		{name: "without records, one will be old", by: []string{"Clock/records"}, build: func(b *broken) {
			b.silence(func(list events, next, age time.Duration) (events, time.Duration) { return list, max(next, age/2) })
		}},
		{name: "the next record is old at once", by: []string{"Clock/next"}, build: func(b *broken) {
			b.silence(func(list events, _, _ time.Duration) (events, time.Duration) { return list, 0 })
		}},
	}
}

func listMutants() []mutant {
	return []mutant{
		{name: "a key is left out", by: []string{"Lister/keys"}, build: func(b *broken) {
			b.listing = func(list []replicated.Key) []replicated.Key { return list[:max(0, len(list)-1)] }
		}},
		{name: "a key is listed twice", by: []string{"Lister/keys"}, build: func(b *broken) {
			b.listing = func(list []replicated.Key) []replicated.Key { return append(list, list[:min(1, len(list))]...) }
		}},
		{name: "keys of other kinds are listed", by: []string{"Lister/keys"}, build: func(b *broken) {
			b.listing = func(list []replicated.Key) []replicated.Key { return append(list, document) }
		}},
	}
}
