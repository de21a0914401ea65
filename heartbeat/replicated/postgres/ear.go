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

// ear is one connection that listens for all watches of a store, and the goroutine that
// reads it. The first watch starts it, the last one to leave stops it and waits for it;
// when the connection breaks it ends by itself, and all its watches with it.
type ear struct {
	store *store
	stop  context.CancelFunc
	done  chan struct{} // closed when the goroutine is about to return
	err   error         // why it returned; to be read after done
	users int           // guarded by store.mu

	mu        sync.Mutex // guards subs, their names, and interrupt
	subs      map[*sub]struct{}
	interrupt context.CancelFunc // ends the present wait for notifications

	conn      *pgx.Conn                // these are the goroutine's alone
	listening map[replicated.Kind]bool // what LISTEN was executed for
	probe     string                   // a channel that nobody else knows
	proved    bool                     // something came through it
}

// join has a watch take part in the ear that there is, or in a new one.
func (s *store) join() *ear {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ear == nil {
		ctx, cancel := context.WithCancel(context.Background())
		s.ear = &ear{
			store: s, stop: cancel, done: make(chan struct{}),
			subs: map[*sub]struct{}{}, interrupt: func() {},
			listening: map[replicated.Kind]bool{}, probe: "rollcall_probe_" + rand.Text(),
		}
		go s.ear.run(ctx)
	}
	s.ear.users++
	return s.ear
}

// part ends what join began.
func (s *store) part(e *ear) {
	s.mu.Lock()
	e.users--
	last := e.users == 0
	if last && s.ear == e {
		s.ear = nil
	}
	s.mu.Unlock()
	if last {
		e.stop()
		<-e.done
	}
}

// dropEar ends the ear that there is, and its watches with it: the next one connects anew.
func (s *store) dropEar() {
	s.mu.Lock()
	e := s.ear
	s.ear = nil
	s.mu.Unlock()
	if e != nil {
		e.stop()
	}
}

func (e *ear) run(ctx context.Context) {
	err := e.listen(ctx)
	e.store.mu.Lock()
	if e.store.ear == e { // the next watch needs another
		e.store.ear = nil
	}
	e.store.mu.Unlock()
	e.err = fmt.Errorf("postgres: listen: %w", err)
	close(e.done)
}

// listen listens until ctx ends or the connection breaks, and returns why.
func (e *ear) listen(ctx context.Context) error {
	if err := e.connect(ctx); err != nil {
		return err
	}
	defer hangUp(e.conn)
	if err := e.prove(ctx); err != nil {
		return err
	}
	for {
		wait, cancel := context.WithTimeout(ctx, e.store.pulse)
		err := e.serve(ctx, e.begin(cancel))
		if err == nil {
			err = e.conn.PgConn().WaitForNotification(wait)
		}
		over := wait.Err()
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && over == nil:
			return err
		case over == context.DeadlineExceeded:
			if err := e.check(ctx); err != nil {
				return err
			}
		}
	}
}

func (e *ear) connect(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*e.store.pulse)
	defer cancel()
	e.conn, err = e.store.dial(ctx, e.heard)
	return err
}

// exec executes a statement on the listening connection. One that takes too long breaks
// the connection, which is what is to be found out.
func (e *ear) exec(ctx context.Context, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, e.store.pulse)
	defer cancel()
	_, err := e.conn.Exec(ctx, sql)
	return err
}

// check asks for a sign of life, and whether the pool still leads to the server that is
// listened to. After a failover an old primary may live on, and tells nothing of what is
// written to the new one.
func (e *ear) check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, e.store.pulse)
	defer cancel()
	var heard, written time.Time
	if err := e.conn.QueryRow(ctx, startOfServer).Scan(&heard); err != nil {
		return err
	}
	err := e.store.ask(ctx, func() error { return e.store.pool.QueryRow(ctx, startOfServer).Scan(&written) })
	if err == nil && !written.Equal(heard) {
		return fmt.Errorf("it leads to another server than the pool: %w", ErrDeaf)
	}
	return nil // a pool without an answer is not the listener's to report
}

// startOfServer is when a server was started, in microseconds: it tells servers apart.
const startOfServer = `SELECT pg_postmaster_start_time()`

// prove finds out whether notifications come through at all. Poolers that do not keep
// sessions accept LISTEN and deliver nothing.
func (e *ear) prove(ctx context.Context) error {
	if err := e.exec(ctx, `LISTEN "`+e.probe+`"`); err != nil {
		if hasCode(err, codeReadOnly) {
			return fmt.Errorf("it leads to a standby (%w): %w", err, ErrDeaf)
		}
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*e.store.pulse)
	defer cancel()
	err := e.store.ask(ctx, func() error {
		_, err := e.store.pool.Exec(ctx, `SELECT pg_notify($1, '')`, e.probe)
		return err
	})
	if err != nil {
		return err
	}
	for !e.proved {
		if err := e.conn.PgConn().WaitForNotification(ctx); err != nil {
			if ctx.Err() == context.DeadlineExceeded {
				return ErrDeaf
			}
			return err
		}
	}
	return e.exec(ctx, `UNLISTEN "`+e.probe+`"`)
}

// begin makes the coming wait one that subscribe can end, and returns who is subscribed.
// Whoever subscribes after that ends the wait, even before it has begun.
func (e *ear) begin(interrupt context.CancelFunc) []*sub {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.interrupt = interrupt
	subs := make([]*sub, 0, len(e.subs))
	for s := range e.subs {
		subs = append(subs, s)
	}
	return subs
}

// serve listens for what the subscribers want to hear, and for nothing else.
func (e *ear) serve(ctx context.Context, subs []*sub) error {
	for kind := range e.listening {
		if slices.ContainsFunc(subs, func(s *sub) bool { return s.kind == kind }) {
			continue
		}
		if err := e.exec(ctx, `UNLISTEN "`+e.channel(kind)+`"`); err != nil {
			return err
		}
		delete(e.listening, kind)
	}
	for _, s := range subs {
		if s.opened {
			continue
		}
		if !e.listening[s.kind] {
			if err := e.exec(ctx, `LISTEN "`+s.from+`"`); err != nil {
				return err
			}
			e.listening[s.kind] = true
		}
		s.opened = true
		close(s.open)
	}
	return nil
}
