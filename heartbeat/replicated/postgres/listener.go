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

// listener is one connection that listens for all watches of a store, and the goroutine that
// reads it. The first watch starts it, the last one to leave stops it and waits for it;
// when the connection breaks it ends by itself, and all its watches with it.
type listener struct {
	store *store
	stop  context.CancelFunc
	done  chan struct{} // closed when the goroutine is about to return
	err   error         // why it returned; to be read after done
	users int           // guarded by store.mu

	mu            sync.Mutex // guards subscriptions, their names, and interrupt
	subscriptions map[*subscription]struct{}
	interrupt     context.CancelFunc // ends the present wait for notifications

	conn         *pgx.Conn                // these are the goroutine's alone
	listening    map[replicated.Kind]bool // what LISTEN was executed for
	probeChannel string                   // a channel that nobody else knows
	probed       bool                     // something came through it
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

// dropListener ends the listener that there is, and its watches with it: the next one connects anew.
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
	if l.store.listener == l { // the next watch needs another
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
	defer hangUp(l.conn)
	if err := l.probe(ctx); err != nil {
		return err
	}
	for {
		wait, cancel := context.WithTimeout(ctx, l.store.pulse)
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
	ctx, cancel := context.WithTimeout(ctx, 2*l.store.pulse)
	defer cancel()
	l.conn, err = l.store.dial(ctx, l.onNotification)
	return err
}

// exec executes a statement on the listening connection. One that takes too long breaks
// the connection, which is what is to be found out.
func (l *listener) exec(ctx context.Context, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, l.store.pulse)
	defer cancel()
	_, err := l.conn.Exec(ctx, sql)
	return err
}

// check asks for a sign of life, and whether the pool still leads to the server that is
// listened to. After a failover an old primary may live on, and tells nothing of what is
// written to the new one.
func (l *listener) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, l.store.pulse)
	defer cancel()
	var heard, written time.Time
	if err := l.conn.QueryRow(ctx, startOfServer).Scan(&heard); err != nil {
		return err
	}
	err := l.store.ask(ctx, func() error { return l.store.pool.QueryRow(ctx, startOfServer).Scan(&written) })
	if err == nil && !written.Equal(heard) {
		return fmt.Errorf("it leads to another server than the pool: %w", ErrNoNotifications)
	}
	return nil // a pool without an answer is not the listener's to report
}

// startOfServer is when a server was started, in microseconds: it tells servers apart.
const startOfServer = `SELECT pg_postmaster_start_time()`

// probe finds out whether notifications come through at all. Poolers that do not keep
// sessions accept LISTEN and deliver nothing.
func (l *listener) probe(ctx context.Context) error {
	if err := l.exec(ctx, `LISTEN "`+l.probeChannel+`"`); err != nil {
		if hasCode(err, codeReadOnly) {
			return fmt.Errorf("it leads to a standby (%w): %w", err, ErrNoNotifications)
		}
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*l.store.pulse)
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

// beginWait makes the coming wait one that subscribe can end, and returns who is subscribed.
// Whoever subscribes after that ends the wait, even before it has begun.
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

// setChannels listens for what the subscribers want to hear, and for nothing else.
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
