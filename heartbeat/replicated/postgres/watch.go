package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// Watch tells the present versions of a kind, then the changes. Notifications only say
// which keys have changed; the rows are read after that, all that have changed meanwhile
// at once, so a burst costs few queries. Each query sees a newer state than the one
// before, so no key goes back.
func (s *store) Watch(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
	if !loud(kind) {
		return fmt.Errorf("postgres: no watch for %v", kind)
	}
	if _, err := s.present(ctx); err != nil { // it will not serve: that needs no connection
		return err
	}
	sql := s.sql[kind]
	l := s.acquireListener()
	defer s.releaseListener(l)
	subscription := l.subscribe(kind)
	defer l.unsubscribe(subscription)
	w := &watch{store: s, kind: kind, sink: sink, told: map[string]int64{}}
	if err := await(ctx, l, subscription.open); err != nil {
		return err
	}
	// Without a schema nothing is there, and the first write, which makes it, is notified.
	there, err := s.present(ctx)
	if err == nil && there {
		err = w.read(ctx, nil, sql.present, s.group)
	}
	if err != nil {
		return err
	}
	sink(replicated.Event{})
	for {
		if err := await(ctx, l, subscription.news); err != nil {
			return err
		}
		names := l.take(subscription)
		if err := w.read(ctx, names, sql.some, s.group, names); err != nil {
			return err
		}
	}
}

// present asks whether there is a schema, even if that was asked: the process may be old,
// and the schema may have changed since its last watch. The server may be gone without a
// word, and ctx has no end.
func (s *store) present(ctx context.Context) (there bool, err error) {
	limited, cancel := context.WithTimeout(ctx, 2*s.pulse)
	defer cancel()
	there, err = s.lookAgain(limited)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return there, err
}

// await waits for a value, or for the closing, of a channel.
func await(ctx context.Context, l *listener, c <-chan struct{}) error {
	select {
	case <-c:
		return nil
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// watch is the state of one Watch. It is its goroutine's alone.
type watch struct {
	store *store
	kind  replicated.Kind
	sink  func(replicated.Event)
	told  map[string]int64 // the newest revision told of each key that is there
}

// row is one key as it was read.
type row struct {
	name []byte
	rev  int64
	data []byte
}

// read reads rows and tells those that are news. Keys among the names that have no row
// were deleted.
func (w *watch) read(ctx context.Context, names [][]byte, sql string, args ...any) error {
	// The server may be gone without a word, and ctx has no end.
	limited, cancel := context.WithTimeout(ctx, 2*w.store.pulse)
	defer cancel()
	var list []row
	err := w.store.ask(limited, func() error {
		rows, err := w.store.pool.Query(limited, sql, args...)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(r pgx.CollectableRow) (row, error) {
			var x row
			err := r.Scan(&x.name, &x.rev, &x.data)
			return x, err
		})
		return err
	})
	switch {
	case err == nil:
		return w.tell(list, names)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return w.store.fail("watch", replicated.Key{Kind: w.kind}, err)
}

func (w *watch) tell(rows []row, names [][]byte) error {
	there := make(map[string]bool, len(rows))
	for _, r := range rows {
		name := string(r.name)
		there[name] = true
		last := w.told[name]
		if r.rev < last {
			return fmt.Errorf("postgres: watch: %v: %w", replicated.Key{Kind: w.kind, Name: name}, errWentBack)
		}
		if r.rev > last {
			w.told[name] = r.rev
			w.sink(replicated.Event{
				Key:   replicated.Key{Kind: w.kind, Name: name},
				Value: replicated.Value{Data: r.data, Revision: uint64(r.rev)},
			})
		}
	}
	for _, n := range names {
		if name := string(n); !there[name] {
			delete(w.told, name)
			w.sink(replicated.Event{Key: replicated.Key{Kind: w.kind, Name: name}})
		}
	}
	return nil
}
