package replicatedtest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func isMarker(e replicated.Event) bool { return e.Key == (replicated.Key{}) }

func just(e ...replicated.Event) []replicated.Event { return e }

// phases changes the events of a watch, by whether it had caught up before.
func (b *broken) phases(change func(e replicated.Event, before bool) []replicated.Event) {
	b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
		caught := false
		return b.own().Watch(ctx, kind, func(e replicated.Event) {
			for _, e := range change(e, caught) {
				sink(e)
			}
			caught = caught || isMarker(e)
		})
	}
}

func watchMutants() []mutant {
	return []mutant{
		{name: "a watch never says that it has caught up", by: []string{"Watch/no keys", "Watch/ends"}, build: func(b *broken) {
			b.events(func(e replicated.Event) []replicated.Event {
				if isMarker(e) {
					return nil
				}
				return just(e)
			})
		}},
		{name: "a watch of nothing says nothing", by: []string{"Watch/no keys"}, build: func(b *broken) {
			some := false
			b.events(func(e replicated.Event) []replicated.Event {
				if some = some || !isMarker(e); !some {
					return nil
				}
				return just(e)
			})
		}},
		{name: "a watch says twice that it has caught up", by: []string{"Watch/changes"}, build: func(b *broken) {
			b.events(func(e replicated.Event) []replicated.Event {
				if isMarker(e) {
					return just(e, e)
				}
				return just(e)
			})
		}},
		{name: "a watch has caught up before it has told anything", by: []string{"Watch/existing keys", "Watch/many keys"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
				sink(replicated.Event{})
				return b.own().Watch(ctx, kind, func(e replicated.Event) {
					if !isMarker(e) {
						sink(e)
					}
				})
			}
		}},
		{name: "a watch begins with changes", by: []string{"Watch/existing keys", "Watch/again and again", "Watch/many keys"}, build: func(b *broken) {
			b.phases(func(e replicated.Event, before bool) []replicated.Event {
				if !before && !isMarker(e) {
					return nil
				}
				return just(e)
			})
		}},
		{name: "a watch ends with what is there", by: []string{"Watch/changes", "Watch/busy keys", "Watch/slow sink"}, build: func(b *broken) {
			b.phases(func(e replicated.Event, before bool) []replicated.Event {
				if before {
					return nil
				}
				return just(e)
			})
		}},
		{name: "a watch misses what happens as it begins", by: []string{"Watch/begun while busy"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
				var caught time.Time
				return b.own().Watch(ctx, kind, func(e replicated.Event) {
					if isMarker(e) {
						caught = time.Now()
					}
					if caught.IsZero() || isMarker(e) || time.Since(caught) > time.Hour {
						sink(e)
					}
				})
			}
		}},
		{name: "a watch tells no deletions", by: []string{"Watch/deletions", "Names/watched"}, build: func(b *broken) {
			b.events(func(e replicated.Event) []replicated.Event {
				if !isMarker(e) && e.Value.Data == nil {
					return nil
				}
				return just(e)
			})
		}},
		{name: "a deletion is no data", by: []string{"Watch/deletions"}, build: func(b *broken) {
			b.events(func(e replicated.Event) []replicated.Event {
				if e.Value.Data == nil {
					e.Value.Data = []byte{}
				}
				return just(e)
			})
		}},
		{name: "a watch tells all kinds", by: []string{"Watch/kinds"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
				ctx, cancel := context.WithCancel(ctx)
				var both sync.WaitGroup
				defer both.Wait()
				defer cancel()
				var one sync.Mutex
				both.Go(func() {
					_ = b.own().Watch(ctx, replicated.KindDocument+replicated.KindRecord-kind, func(e replicated.Event) {
						one.Lock()
						defer one.Unlock()
						if !isMarker(e) {
							sink(e)
						}
					})
				})
				return b.own().Watch(ctx, kind, func(e replicated.Event) {
					one.Lock()
					defer one.Unlock()
					sink(e)
				})
			}
		}},
		{name: "one watch at a time", by: []string{"Watch/several", "Watch/kinds"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
				b.mu.Lock()
				b.watching++
				mine := b.watching
				b.mu.Unlock()
				return b.own().Watch(ctx, kind, func(e replicated.Event) {
					b.mu.Lock()
					newest := mine == b.watching
					b.mu.Unlock()
					if newest || isMarker(e) {
						sink(e)
					}
				})
			}
		}},
		{name: "a watch tells other revisions", by: []string{"Watch/changes"}, build: func(b *broken) {
			n := uint64(0)
			b.events(func(e replicated.Event) []replicated.Event {
				if n++; !isMarker(e) {
					e.Value.Revision = n
				}
				return just(e)
			})
		}},
		{name: "a watch tells 256 keys", by: []string{"Watch/many keys"}, build: func(b *broken) {
			n := 0
			b.phases(func(e replicated.Event, before bool) []replicated.Event {
				if n++; n > 256 && !before && !isMarker(e) {
					return nil
				}
				return just(e)
			})
		}},
		{name: "versions come out of order", by: []string{"Watch/busy keys"}, build: func(b *broken) {
			var last replicated.Event
			n := 0
			b.events(func(e replicated.Event) []replicated.Event {
				if n++; n%5 == 0 && last.Value.Data != nil {
					return just(e, last)
				}
				last = e
				return just(e)
			})
		}},
		{name: "now and then an event is lost", by: []string{"Watch/begun while busy", "Watch/changes"}, build: func(b *broken) {
			var told atomic.Int64 // by the watches of all links
			b.events(func(e replicated.Event) []replicated.Event {
				if n := told.Add(1); n > 3 && n%2 == 1 {
					return nil
				}
				return just(e)
			})
		}},
	}
}

func watchLifeMutants() []mutant {
	return []mutant{
		{name: "a watch ends without a reason", by: []string{"Watch/ends"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
				_ = b.own().Watch(ctx, kind, sink)
				return nil
			}
		}},
		{name: "a watch ends late", by: []string{"Watch/ends"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
				err := b.own().Watch(ctx, kind, sink)
				time.Sleep(time.Minute)
				return err
			}
		}},
		{name: "a watch ends by itself", by: []string{"Watch/changes"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
				ctx, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
				defer cancel()
				return b.own().Watch(ctx, kind, sink)
			}
		}},
		{name: "a watch goes on in the background", by: []string{"Watch/reports nothing after its end"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
				go func() {
					more, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
					defer cancel()
					_ = b.own().Watch(more, kind, sink)
				}()
				<-ctx.Done()
				return ctx.Err()
			}
		}},
		{name: "two goroutines call the sink", by: []string{"Watch/slow sink"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
				var all sync.WaitGroup
				defer all.Wait()
				return b.own().Watch(ctx, kind, func(e replicated.Event) {
					all.Go(func() { sink(e) })
				})
			}
		}},
		{name: "a slow sink holds up the writers", by: []string{"Watch/slow sink"}, build: func(b *broken) {
			one := make(chan struct{}, 1)
			b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
				return b.own().Watch(ctx, kind, func(e replicated.Event) {
					one <- struct{}{}
					sink(e)
					<-one
				})
			}
			b.swap = func(ctx context.Context, k replicated.Key, old uint64, data []byte) (uint64, error) {
				one <- struct{}{}
				defer func() { <-one }()
				return b.own().Swap(ctx, k, old, data)
			}
		}},
		{name: "watches are used up", by: []string{"Watch/again and again"}, build: func(b *broken) {
			b.watch = func(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
				b.mu.Lock()
				b.watching++
				n := b.watching
				b.mu.Unlock()
				if n > 20 {
					<-ctx.Done()
					return ctx.Err()
				}
				return b.own().Watch(ctx, kind, sink)
			}
		}},
	}
}
