package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// The timeouts of the URL have priority.
func TestTuneTimes(t *testing.T) {
	t.Parallel()
	for url, want := range map[string][2]time.Duration{
		"postgres://nobody@nowhere/nothing":                                        {connectTimeout, reachTimeout},
		"postgres://nobody@nowhere/nothing?connect_timeout=7&pool_ping_timeout=9s": {7 * time.Second, 9 * time.Second},
	} {
		cfg := parsed(t, url)
		Tune(cfg)
		if got := [2]time.Duration{cfg.ConnConfig.ConnectTimeout, cfg.PingTimeout}; got != want {
			t.Errorf("%s: the times to connect and to ping are %v, want %v", url, got, want)
		}
	}
}

// A tuned pool works, and so does its listener.
func TestTunedPool(t *testing.T) {
	t.Parallel()
	cfg := groupConfig(t)
	cfg.Pool, _ = named(t, 2, Tune)
	s := dial(t, cfg)
	w := follow(t, s, record("").Kind)
	w.get()
	rev := swap(t, s, record("a"), 0, "x")
	w.next(event(record("a"), rev, "x"))
}

func parsed(t *testing.T, url string) *pgxpool.Config {
	t.Helper()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}
