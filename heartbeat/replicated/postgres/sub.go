package postgres

import (
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// sub is what one watch wants to hear.
type sub struct {
	kind replicated.Kind
	from string              // the channel of the kind
	open chan struct{}       // closed when no change from then on is missed
	news chan struct{}       // has a value while there are names
	keys map[string]struct{} // the names of changed keys; guarded by ear.mu

	opened bool // the ear's goroutine's alone
}

// subscribe has the ear listen for changes of a kind. They are missed until open is
// closed.
func (e *ear) subscribe(kind replicated.Kind) *sub {
	s := &sub{
		kind: kind, from: e.channel(kind),
		open: make(chan struct{}), news: make(chan struct{}, 1), keys: map[string]struct{}{},
	}
	e.mu.Lock()
	e.subs[s] = struct{}{}
	interrupt := e.interrupt
	e.mu.Unlock()
	interrupt()
	return s
}

func (e *ear) unsubscribe(s *sub) {
	e.mu.Lock()
	delete(e.subs, s)
	interrupt := e.interrupt
	e.mu.Unlock()
	interrupt()
}

// take returns the names of the keys that have changed since the last call.
func (e *ear) take(s *sub) [][]byte {
	e.mu.Lock()
	defer e.mu.Unlock()
	names := make([][]byte, 0, len(s.keys))
	for name := range s.keys {
		names = append(names, []byte(name))
	}
	clear(s.keys)
	return names
}

func (e *ear) channel(kind replicated.Kind) string {
	return channel(e.store.schema.name, e.store.group, kind)
}

// heard takes a notification, on the ear's goroutine.
func (e *ear) heard(_ *pgconn.PgConn, n *pgconn.Notification) {
	if n.Channel == e.probe {
		e.proved = true
		return
	}
	name, ok := parsePayload(n.Payload)
	if !ok {
		return // anybody may notify on any channel
	}
	for _, s := range e.note(n.Channel, name) {
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
}

// note notes a changed key and returns the subscribers that want to know of it.
func (e *ear) note(from, name string) (subs []*sub) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for s := range e.subs {
		if s.from == from {
			s.keys[name] = struct{}{}
			subs = append(subs, s)
		}
	}
	return subs
}
