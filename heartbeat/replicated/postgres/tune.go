package postgres

import (
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// reachTimeout is how long a host may take to be reached, and a connection of the
	// pool to show that it lives.
	reachTimeout = 2 * time.Second
	// connectTimeout is for all of it: to reach the host, to agree on keys, to log in.
	connectTimeout = 5 * time.Second
	// unheard is how long what was sent may go without an acknowledgement.
	unheard = 4500 * time.Millisecond
)

// keepAlive has the system ask the other side of an idle connection for a sign of life,
// and give it up six seconds after the last one, or five where unheard is known to it.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: time.Second, Count: 3}

// Tune sets what we advise for a group's pool, to be followed by the caller's own: a
// DialFunc, a size.
//
//	cfg, err := pgxpool.ParseConfig(url)
//	...
//	postgres.Tune(cfg)
//	pool, err := pgxpool.NewWithConfig(ctx, cfg)
//
// A server whose machine or network is gone says nothing. By default a connection to it
// waits for a quarter of an hour, and a new one, for which the pool keeps a place, for two
// minutes. Tuned, connections that are idle end within six seconds, all at once, and on
// Linux those that wait for an answer within five. A host that cannot be reached is left
// after two seconds, for the next one of the URL or another try, and a log-in after five,
// unless the URL has a connect_timeout. A caller of the pool waits for a connection that
// was idle two seconds at most before it is replaced, unless PingTimeout is set.
func Tune(cfg *pgxpool.Config) {
	conn := cfg.ConnConfig
	dialer := &net.Dialer{Timeout: conn.ConnectTimeout, KeepAliveConfig: keepAlive, Control: limitUnheard}
	if conn.ConnectTimeout == 0 {
		dialer.Timeout, conn.ConnectTimeout = reachTimeout, connectTimeout
	}
	conn.DialFunc = dialer.DialContext
	if cfg.PingTimeout == 0 {
		cfg.PingTimeout = reachTimeout
	}
}
