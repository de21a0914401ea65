package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgconn/ctxwatch"
)

// defaultCheckEvery is how long a listener waits for a notification before it checks the
// server, and then how long it waits for the answer. So it detects a lost server within twice
// this time. The query also keeps the server, or a firewall, from closing an idle session.
const defaultCheckEvery = 5 * time.Second

// dial makes the connection for the listener. It does not take a connection of the pool: the
// pool would have one less, and may have none free.
func (s *store) dial(ctx context.Context, onNotification pgconn.NotificationHandler) (*pgx.Conn, error) {
	pool := s.pool.Config()
	cfg := pool.ConnConfig
	if s.listenConfig != nil {
		cfg, pool.BeforeConnect, pool.AfterConnect = s.listenConfig.Copy(), nil, nil
	}
	cfg.OnNotification = onNotification
	// The wait for notifications is often interrupted. That must be cheap, whatever the pool
	// does to cancel slow queries.
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
			closeConn(conn)
			return nil, err
		}
	}
	return conn, nil
}

// closeConn closes a connection that may be broken.
func closeConn(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx) // the connection is not used any more
}
