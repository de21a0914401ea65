package postgres

import (
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// subscription is what one watch wants to be notified of.
type subscription struct {
	kind replicated.Kind
	from string              // the channel of the kind
	open chan struct{}       // closed when the connection listens: no later change is missed
	news chan struct{}       // has a value while keys has names
	keys map[string]struct{} // the names of changed keys; guarded by listener.mu

	opened bool // used by the goroutine of the listener only
}

// subscribe subscribes to changes of a kind. A change before open is closed may be
// missed.
func (l *listener) subscribe(kind replicated.Kind) *subscription {
	s := &subscription{
		kind: kind, from: l.channel(kind),
		open: make(chan struct{}), news: make(chan struct{}, 1), keys: map[string]struct{}{},
	}
	l.mu.Lock()
	l.subscriptions[s] = struct{}{}
	interrupt := l.interrupt
	l.mu.Unlock()
	interrupt()
	return s
}

func (l *listener) unsubscribe(s *subscription) {
	l.mu.Lock()
	delete(l.subscriptions, s)
	interrupt := l.interrupt
	l.mu.Unlock()
	interrupt()
}

// take returns the names of the keys that have changed since the last call.
func (l *listener) take(s *subscription) [][]byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	names := make([][]byte, 0, len(s.keys))
	for name := range s.keys {
		names = append(names, []byte(name))
	}
	clear(s.keys)
	return names
}

func (l *listener) channel(kind replicated.Kind) string {
	return channel(l.store.schema.name, l.store.group, kind)
}

// onNotification handles a notification, on the goroutine of the listener.
func (l *listener) onNotification(_ *pgconn.PgConn, n *pgconn.Notification) {
	if n.Channel == l.probeChannel {
		l.probed = true
		return
	}
	name, ok := parsePayload(n.Payload)
	if !ok {
		return // other programs may notify on any channel
	}
	for _, s := range l.note(n.Channel, name) {
		select {
		case s.news <- struct{}{}:
		default:
		}
	}
}

// note notes a changed key, and returns the subscriptions to notify.
func (l *listener) note(from, name string) (subscriptions []*subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := range l.subscriptions {
		if s.from == from {
			s.keys[name] = struct{}{}
			subscriptions = append(subscriptions, s)
		}
	}
	return subscriptions
}
