package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// Watch reports the existing versions of a kind, and then the changes. A notification only
// says which key has changed. The rows of all keys that have changed are then read at once,
// so a burst costs few queries. Each query sees a newer state than the last one, so no key
// goes back.
func (s *store) Watch(ctx context.Context, kind replicated.Kind, sink func(replicated.Event)) error {
	if !notified(kind) {
		return fmt.Errorf("postgres: no watch for %v", kind)
	}
	if _, err := s.checkSchema(ctx); err != nil { // a listener would be of no use
		return err
	}
	sql := s.sql[kind]
	l := s.acquireListener()
	defer s.releaseListener(l)
	subscription := l.subscribe(kind)
	defer l.unsubscribe(subscription)
	w := &watch{store: s, kind: kind, sink: sink, reported: map[string]int64{}}
	if err := await(ctx, l, subscription.open); err != nil {
		return err
	}
	// Without a schema there are no keys. The first write creates it and is notified.
	there, err := s.checkSchema(ctx)
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

// checkSchema asks whether the schema exists, even if this process knows that: a newer
// release may have upgraded the schema since the last watch. ctx may have no deadline, and
// the server may not answer, so the time is limited.
func (s *store) checkSchema(ctx context.Context) (there bool, err error) {
	limited, cancel := context.WithTimeout(ctx, 2*s.checkEvery)
	defer cancel()
	there, err = s.findSchema(limited)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return there, err
}

// await waits for a value from c, or until it is closed.
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

// watch is the state of one Watch. Only its goroutine uses it.
type watch struct {
	store    *store
	kind     replicated.Kind
	sink     func(replicated.Event)
	reported map[string]int64 // the newest revision reported of each existing key
}

// row is one key as it was read.
type row struct {
	name []byte
	rev  int64
	data []byte
}

// read reads rows and reports the new versions. Keys among the names that have no row were
// deleted.
func (w *watch) read(ctx context.Context, names [][]byte, sql string, args ...any) error {
	// ctx has no deadline, and the server may not answer.
	limited, cancel := context.WithTimeout(ctx, 2*w.store.checkEvery)
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
		return w.report(list, names)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return w.store.fail("watch", replicated.Key{Kind: w.kind}, err)
}

func (w *watch) report(rows []row, names [][]byte) error {
	there := make(map[string]bool, len(rows))
	for _, r := range rows {
		name := string(r.name)
		there[name] = true
		last := w.reported[name]
		if r.rev < last {
			return fmt.Errorf("postgres: watch: %v: %w", replicated.Key{Kind: w.kind, Name: name}, errWentBack)
		}
		if r.rev > last {
			w.reported[name] = r.rev
			w.sink(replicated.Event{
				Key:   replicated.Key{Kind: w.kind, Name: name},
				Value: replicated.Value{Data: r.data, Revision: uint64(r.rev)},
			})
		}
	}
	for _, n := range names {
		if name := string(n); !there[name] {
			delete(w.reported, name)
			w.sink(replicated.Event{Key: replicated.Key{Kind: w.kind, Name: name}})
		}
	}
	return nil
}
