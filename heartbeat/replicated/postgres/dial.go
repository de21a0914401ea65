package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// defaultPulse is how long a watch hears nothing before it asks the server for a sign of
// life, and how long it waits for that. A peer that vanished without a word is found out
// within twice as long; while it is there, the query also keeps the session from being
// ended as idle by the server or by a firewall.
const defaultPulse = 5 * time.Second

// dial makes the connection that listens. It does not come out of the pool, which would
// be short of one connection then, and might have none to give.
func (s *store) dial(ctx context.Context, heard pgconn.NotificationHandler) (*pgx.Conn, error) {
	pool := s.pool.Config()
	cfg := pool.ConnConfig
	if s.listenConfig != nil {
		cfg, pool.BeforeConnect, pool.AfterConnect = s.listenConfig.Copy(), nil, nil
	}
	cfg.OnNotification = heard
	// Waiting for notifications is interrupted all the time. It must cost nothing,
	// whatever the pool does with queries that take too long.
	cfg.BuildContextWatcherHandler = func(c *pgconn.PgConn) ctxwatch.Handler {
		return &pgconn.DeadlineContextWatcherHandler{Conn: c.Conn()}
	}
	if pool.BeforeConnect != nil {
		if err := pool.BeforeConnect(ctx, cfg); err != nil {
			return nil, err
		}
	}
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if pool.AfterConnect != nil {
		if err := pool.AfterConnect(ctx, conn); err != nil {
			hangUp(conn)
			return nil, err
		}
	}
	return conn, nil
}

// hangUp closes a connection that may be broken.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // it is of no use any more, whatever this says
}
