package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/zap"
)

// outageDetector notices that the server has stopped answering. If the server's machine or
// network is lost, no connection of the pool works, and the pool does not know it. Each call
// would take another idle connection and wait until its deadline. With sixteen idle
// connections that takes longer than a lease, even if the next server is available. So after
// the first such call, the store resets the pool.
//
// It does so once in an outage. So if the server is only slow, calls connect anew once, and
// not after each call. The zero value is ready to use.
type outageDetector struct {
	mu         sync.Mutex // guards the fields below
	answeredAt time.Time  // when the server last answered
	resetAt    time.Time  // when the pool was last reset because of an outage
	readOnlyAt time.Time  // when the pool was last reset because the server was read-only
}

// answered notes that the server has answered.
func (d *outageDetector) answered() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answeredAt = time.Now()
}

// outage reports whether to reset the pool, after a call without an answer. If the server has
// answered other calls since that call began, the call has waited for a lock, and there is no
// outage.
func (d *outageDetector) outage(began time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.answeredAt.After(began) || d.resetAt.After(d.answeredAt) {
		return false
	}
	d.resetAt = time.Now()
	return true
}

// resetPause is the shortest time between two resets of a pool that leads to a read-only
// server: after each reset all calls connect anew.
const resetPause = time.Second

// readOnly reports whether to reset the pool, after the server has refused a call because it
// is read-only. Of many such calls only one resets the pool: a call that began before the
// last reset says nothing about the connections that were made after it.
func (d *outageDetector) readOnly(began time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if !d.readOnlyAt.IsZero() && (began.Before(d.readOnlyAt) || now.Sub(d.readOnlyAt) < resetPause) {
		return false
	}
	d.readOnlyAt = now
	return true
}

// ask makes a call that uses the pool and ends with ctx. If the server does not answer, ask
// may reset the pool. It does not reset the pool if no connection is idle: the call may only
// have waited for other calls, which detect an outage themselves. Pool.Reset does not wait
// and interrupts no call; a connection in use is closed when it is returned.
func (s *store) ask(ctx context.Context, call func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	began := time.Now()
	err := call()
	switch {
	case isAnswer(err):
		s.detector.answered()
		s.noteAnswer(began, err)
	case ctx.Err() == context.DeadlineExceeded && s.pool.Stat().IdleConns() > 0 && s.detector.outage(began):
		s.pool.Reset()
	}
	return s.nameServers(err)
}

// nameServers adds the server's address to an error that did not come from the server. Errors
// of pgx contain the address, except when a context ended during a wait for a connection or
// an answer.
func (s *store) nameServers(err error) error {
	if isAnswer(err) || errors.As(err, new(*pgconn.ConnectError)) {
		return err
	}
	return fmt.Errorf("no answer from %s: %w", servers(s.pool.Config().ConnConfig), err)
}

// servers returns the addresses in a pool's URL. With some TLS modes the configuration has
// each address twice; servers returns it once.
func servers(cfg *pgx.ConnConfig) string {
	list := []string{net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))}
	for _, f := range cfg.Fallbacks {
		if at := net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port))); !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	return strings.Join(list, ", ")
}

// noteAnswer notes what an answer says about the connections. After a failover, the
// connections of the pool may lead to a server that is read-only from now on, while another
// server takes writes. Then the next call connects anew, and so does the listener.
func (s *store) noteAnswer(began time.Time, err error) {
	switch {
	case err == nil || errors.Is(err, pgx.ErrNoRows):
		s.successes.connected.Store(true)
	case hasCode(err, codeReadOnly) && s.detector.readOnly(began):
		s.log.Warn("the server is read-only; the pool connects anew", zap.Error(err))
		s.pool.Reset()
		s.dropListener()
	}
}

// isAnswer reports whether the result of a call came from the server.
func isAnswer(err error) bool {
	return err == nil || errors.Is(err, pgx.ErrNoRows) || errors.As(err, new(*pgconn.PgError))
}
