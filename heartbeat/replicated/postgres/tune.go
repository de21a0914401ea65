package postgres

import (
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// reachTimeout limits the attempt to reach a host, and the ping of an idle connection.
	reachTimeout = 2 * time.Second
	// connectTimeout limits a connection attempt as a whole, TLS and login included.
	connectTimeout = 5 * time.Second
	// unheard is how long sent data may stay without an acknowledgement.
	unheard = 4500 * time.Millisecond
)

// keepAlive makes the system probe an idle connection and close it after six seconds
// without an answer, or five where it knows unheard.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: time.Second, Count: 3}

// Tune sets the recommended configuration for the pool of a group. Set your own values,
// such as a DialFunc or a size, after it.
//
//	cfg, err := pgxpool.ParseConfig(url)
//	...
//	postgres.Tune(cfg)
//	pool, err := pgxpool.NewWithConfig(ctx, cfg)
//
// A server that has lost its power or its network does not answer. By default a connection
// to it waits for 15 minutes, and an attempt to connect, which takes a place in the pool,
// for two minutes. With Tune, idle connections end within six seconds, all at once. On
// Linux, connections that wait for an answer end within five. Unless the URL has a
// connect_timeout, an attempt to reach a host ends after two seconds, and a login after
// five. Unless PingTimeout is set, a call that gets a dead idle connection waits two
// seconds at most for its replacement.
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
