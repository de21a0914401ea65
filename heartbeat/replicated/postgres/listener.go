package postgres

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// listener is one connection that listens for all watches of a store, and the goroutine
// that reads it. The first watch starts it. The last watch stops it and waits for it. If
// the connection breaks, the listener ends, and all its watches end with it.
type listener struct {
	store *store
	stop  context.CancelFunc
	done  chan struct{} // closed when the goroutine is about to return
	err   error         // why it returned; to be read after done
	users int           // the number of watches; guarded by store.mu

	mu            sync.Mutex // guards subscriptions, their names, and interrupt
	subscriptions map[*subscription]struct{}
	interrupt     context.CancelFunc // ends the current wait for notifications

	conn         *pgx.Conn                // the fields from here on are used by the goroutine only
	listening    map[replicated.Kind]bool // what LISTEN was executed for
	probeChannel string                   // a random channel
	probed       bool                     // a notification has arrived on it
}

// acquireListener returns the running listener, or a new one. releaseListener must follow.
func (s *store) acquireListener() *listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.listener == nil {
		ctx, cancel := context.WithCancel(context.Background())
		s.listener = &listener{
			store: s, stop: cancel, done: make(chan struct{}),
			subscriptions: map[*subscription]struct{}{}, interrupt: func() {},
			listening: map[replicated.Kind]bool{}, probeChannel: "rollcall_probe_" + rand.Text(),
		}
		go s.listener.run(ctx)
	}
	s.listener.users++
	return s.listener
}

// releaseListener stops the listener if no other watch uses it.
func (s *store) releaseListener(l *listener) {
	s.mu.Lock()
	l.users--
	last := l.users == 0
	if last && s.listener == l {
		s.listener = nil
	}
	s.mu.Unlock()
	if last {
		l.stop()
		<-l.done
	}
}

// dropListener stops the listener, and its watches with it. The next watch connects anew.
func (s *store) dropListener() {
	s.mu.Lock()
	l := s.listener
	s.listener = nil
	s.mu.Unlock()
	if l != nil {
		l.stop()
	}
}

func (l *listener) run(ctx context.Context) {
	err := l.listen(ctx)
	l.store.mu.Lock()
	if l.store.listener == l { // the next watch starts a new one
		l.store.listener = nil
	}
	l.store.mu.Unlock()
	l.err = fmt.Errorf("postgres: listen: %w", err)
	close(l.done)
}

// listen listens until ctx ends or the connection breaks, and returns why.
func (l *listener) listen(ctx context.Context) error {
	if err := l.connect(ctx); err != nil {
		return err
	}
	defer closeConn(l.conn)
	if err := l.probe(ctx); err != nil {
		return err
	}
	for {
		wait, cancel := context.WithTimeout(ctx, l.store.checkEvery)
		err := l.setChannels(ctx, l.beginWait(cancel))
		if err == nil {
			err = l.conn.PgConn().WaitForNotification(wait)
		}
		over := wait.Err()
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && over == nil:
			return err
		case over == context.DeadlineExceeded:
			if err := l.check(ctx); err != nil {
				return err
			}
		}
	}
}

func (l *listener) connect(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*l.store.checkEvery)
	defer cancel()
	l.conn, err = l.store.dial(ctx, l.onNotification)
	return err
}

// exec executes a statement on the listening connection. If the statement takes too long,
// the connection breaks, which ends the listener.
func (l *listener) exec(ctx context.Context, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, l.store.checkEvery)
	defer cancel()
	_, err := l.conn.Exec(ctx, sql)
	return err
}

// check finds out whether the server still answers, and whether the pool leads to the same
// server. After a failover, the old primary may still run. It sends no notifications of the
// writes to the new primary.
func (l *listener) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.store.checkEvery)
	defer cancel()
	var listenStart, poolStart time.Time
	if err := l.conn.QueryRow(ctx, startOfServer).Scan(&listenStart); err != nil {
		return err
	}
	err := l.store.ask(ctx, func() error { return l.store.pool.QueryRow(ctx, startOfServer).Scan(&poolStart) })
	if err == nil && !poolStart.Equal(listenStart) {
		return fmt.Errorf("the connection leads to another server than the pool: %w", ErrNoNotifications)
	}
	return nil // the calls that use the pool report its errors
}

// startOfServer reads when a server was started, in microseconds. Two servers have different
// times.
const startOfServer = `SELECT pg_postmaster_start_time()`

// probe finds out whether notifications arrive at all. A pooler that does not keep sessions
// accepts LISTEN and delivers nothing.
func (l *listener) probe(ctx context.Context) error {
	if err := l.exec(ctx, `LISTEN "`+l.probeChannel+`"`); err != nil {
		if hasCode(err, codeReadOnly) {
			return fmt.Errorf("the connection leads to a standby (%w): %w", err, ErrNoNotifications)
		}
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*l.store.checkEvery)
	defer cancel()
	err := l.store.ask(ctx, func() error {
		_, err := l.store.pool.Exec(ctx, `SELECT pg_notify($1, '')`, l.probeChannel)
		return err
	})
	if err != nil {
		return err
	}
	for !l.probed {
		if err := l.conn.PgConn().WaitForNotification(ctx); err != nil {
			if ctx.Err() == context.DeadlineExceeded {
				return ErrNoNotifications
			}
			return err
		}
	}
	return l.exec(ctx, `UNLISTEN "`+l.probeChannel+`"`)
}

// beginWait lets subscribe interrupt the next wait, and returns the subscriptions. A
// subscription that is added later interrupts the wait, even if the wait has not begun yet.
func (l *listener) beginWait(interrupt context.CancelFunc) []*subscription {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.interrupt = interrupt
	subscriptions := make([]*subscription, 0, len(l.subscriptions))
	for s := range l.subscriptions {
		subscriptions = append(subscriptions, s)
	}
	return subscriptions
}

// setChannels executes LISTEN and UNLISTEN, so that the connection listens for the kinds of
// the subscriptions only.
func (l *listener) setChannels(ctx context.Context, subscriptions []*subscription) error {
	for kind := range l.listening {
		if slices.ContainsFunc(subscriptions, func(s *subscription) bool { return s.kind == kind }) {
			continue
		}
		if err := l.exec(ctx, `UNLISTEN "`+l.channel(kind)+`"`); err != nil {
			return err
		}
		delete(l.listening, kind)
	}
	for _, s := range subscriptions {
		if s.opened {
			continue
		}
		if !l.listening[s.kind] {
			if err := l.exec(ctx, `LISTEN "`+s.from+`"`); err != nil {
				return err
			}
			l.listening[s.kind] = true
		}
		s.opened = true
		close(s.open)
	}
	return nil
}
