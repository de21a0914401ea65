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
	// ackTimeout is how long a connection waits for the acknowledgement of sent data.
	ackTimeout = 4500 * time.Millisecond
)

// keepAlive makes the system probe an idle connection. The system closes the connection after
// six seconds without an answer, or after five where it supports ackTimeout.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 3 * time.Second, Interval: time.Second, Count: 3}

// Tune sets the recommended configuration for the pool of a group. Set your own values, such
// as a DialFunc or a size, after the call.
//
//	cfg, err := pgxpool.ParseConfig(url)
//	...
//	postgres.Tune(cfg)
//	pool, err := pgxpool.NewWithConfig(ctx, cfg)
//
// A server that has lost its power or its network does not answer. By default, a connection
// to it waits for 15 minutes. An attempt to connect waits for two minutes, and uses one of the
// connections of the pool meanwhile. With Tune:
//
//   - Idle connections to the lost server end within six seconds.
//   - On Linux, a connection that waits for an answer ends within five seconds.
//   - An attempt to reach a host ends after two seconds. A whole attempt to connect, login
//     included, ends after five. If the URL has a connect_timeout, it applies to both instead.
//   - A call that gets an idle connection to the lost server notices that within two seconds.
//     If PingTimeout is set, that applies instead.
func Tune(cfg *pgxpool.Config) {
	conn := cfg.ConnConfig
	dialer := &net.Dialer{Timeout: conn.ConnectTimeout, KeepAliveConfig: keepAlive, Control: limitUnacknowledged}
	if conn.ConnectTimeout == 0 {
		dialer.Timeout, conn.ConnectTimeout = reachTimeout, connectTimeout
	}
	conn.DialFunc = dialer.DialContext
	if cfg.PingTimeout == 0 {
		cfg.PingTimeout = reachTimeout
	}
}
