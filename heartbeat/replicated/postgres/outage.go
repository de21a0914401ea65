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

// outageDetector notices that the server has stopped to answer. If its machine or the network
// has gone without a word, all connections of the pool are dead, and none of them knows.
// Each call would wait for another one of them, up to its deadline: with sixteen idle
// ones that is longer than a lease, even if the next server has been there all the time.
// So when the first call has ended like that, the pool forgets them all.
//
// That is done once in a silence. A server that is merely slow has everybody connect
// anew once, and not after every call. The zero value has heard nothing yet.
type outageDetector struct {
	mu         sync.Mutex // guards the fields below
	answeredAt time.Time  // when the server has answered last
	resetAt    time.Time  // when the pool was told to forget its connections
	readOnlyAt time.Time  // likewise, because the server takes no writes
}

// answered notes that the server has answered.
func (d *outageDetector) answered() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.answeredAt = time.Now()
}

// outage reports whether the pool has to forget its connections, after a call that had
// no answer. If others were answered since it began, it has met a lock, and no silence.
func (d *outageDetector) outage(began time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.answeredAt.After(began) || d.resetAt.After(d.answeredAt) {
		return false
	}
	d.resetAt = time.Now()
	return true
}

// dialPause is the least time between two resets of a pool that leads to a server which
// takes no writes: every reset has everybody connect anew.
const dialPause = time.Second

// readOnly reports whether the pool has to forget its connections, after a call that was
// refused because the server takes no writes. Of many calls on such connections one
// does that: those that began before it say nothing about the connections made since.
func (d *outageDetector) readOnly(began time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	if !d.readOnlyAt.IsZero() && (began.Before(d.readOnlyAt) || now.Sub(d.readOnlyAt) < dialPause) {
		return false
	}
	d.readOnlyAt = now
	return true
}

// ask makes a call, which uses the pool and ends with ctx. It forgets what lies idle in
// the pool, and nothing if all is in use: then the call may have waited for the others
// alone, who find out by themselves. Pool.Reset waits for nothing, and interrupts nobody;
// what is in use is closed when it is returned.
func (s *store) ask(ctx context.Context, call func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	began := time.Now()
	err := call()
	switch {
	case isAnswer(err):
		s.detector.answered()
		s.learn(began, err)
	case ctx.Err() == context.DeadlineExceeded && s.pool.Stat().IdleConns() > 0 && s.detector.outage(began):
		s.pool.Reset()
	}
	return s.locate(err)
}

// locate has an error that is no answer name the server. The errors of pgx do, but not one
// of a context that ended while a connection or an answer was waited for.
func (s *store) locate(err error) error {
	if isAnswer(err) || errors.As(err, new(*pgconn.ConnectError)) {
		return err
	}
	return fmt.Errorf("no answer from %s: %w", servers(s.pool.Config().ConnConfig), err)
}

// servers returns the addresses in a pool's URL, each once: with some modes of TLS the
// configuration has each of them twice.
func servers(cfg *pgx.ConnConfig) string {
	list := []string{net.JoinHostPort(cfg.Host, strconv.Itoa(int(cfg.Port)))}
	for _, f := range cfg.Fallbacks {
		if at := net.JoinHostPort(f.Host, strconv.Itoa(int(f.Port))); !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	return strings.Join(list, ", ")
}

// learn takes from an answer what it says of the connections. After a failover, or while
// somebody has made the server read-only, those of the pool may lead to a server that takes
// no writes and stays there, and another one takes them: the next call connects anew,
// and so does the connection that listens.
func (s *store) learn(began time.Time, err error) {
	switch {
	case err == nil || errors.Is(err, pgx.ErrNoRows):
		s.proven.connected.Store(true)
	case hasCode(err, codeReadOnly) && s.detector.readOnly(began):
		s.log.Warn("the server takes no writes: the pool connects anew", zap.Error(err))
		s.pool.Reset()
		s.dropListener()
	}
}

// isAnswer reports whether the result of a call is what the server said.
func isAnswer(err error) bool {
	return err == nil || errors.Is(err, pgx.ErrNoRows) || errors.As(err, new(*pgconn.PgError))
}
