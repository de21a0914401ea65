package sls

import (
	"net/http"
	"sync"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
)

// Client is a client of one logstore and of one consumer group in it. It implements
// heartbeat.Client, heartbeat.Creator, processor.Checkpoints and processor.Lister. Safe for
// concurrent use by any number of members. It holds connections until Close.
type Client struct {
	cfg       Config
	endpoint  endpoint
	keys      *keyring // nil: anonymous
	served    sync.Map // the operations that succeeded
	userAgent string
	beats     *route            // for heartbeats and what they need
	data      *route            // for all else
	own       []*http.Transport // the client's own pools, which Close closes; empty with Config.Transport
	group     groupState
	clock     clock

	background *background
}

var (
	_ heartbeat.Client      = (*Client)(nil)
	_ heartbeat.Creator     = (*Client)(nil)
	_ processor.Checkpoints = (*Client)(nil)
	_ processor.Lister      = (*Client)(nil)
)

// New returns a Client. It does no I/O. The error is a *shardset.ConfigError that lists
// every fault.
func New(cfg Config) (*Client, error) {
	ep, err := cfg.complete()
	if err != nil {
		return nil, err
	}
	c := &Client{cfg: cfg, endpoint: ep, userAgent: userAgent(cfg), group: newGroupState(), background: newBackground()}
	if cfg.Credentials != nil {
		c.keys = newKeyring(c.background.ctx, cfg.Credentials, cfg.RequestTimeout, cfg.Logger)
	}
	if cfg.Transport != nil {
		shared := &route{transport: cfg.Transport}
		c.beats, c.data = shared, shared
	} else {
		beats, data := newTransport(4, cfg), newTransport(128, cfg)
		c.beats, c.data, c.own = &route{transport: beats}, &route{transport: data}, []*http.Transport{beats, data}
	}
	if ep.scheme == "http" && !ep.loopback {
		cfg.Logger.Warn("requests go over plain http", zap.String("endpoint", ep.dial))
	}
	if unverified(cfg.TLS) && !ep.loopback {
		cfg.Logger.Warn("the server's certificate is not verified", zap.String("endpoint", ep.dial))
	}
	return c, nil
}

func userAgent(cfg Config) string {
	switch {
	case cfg.Group == "" && cfg.Member == "":
		return "rollcall"
	case cfg.Member == "":
		return cfg.Group
	}
	return cfg.Group + "_" + cfg.Member
}

// Info describes the group service. Its Group begins with the logstore, as in "app/billing",
// because group names are unique only within a logstore. Guarantees.Ordered is the group's setting
// as the client last read it; before the first heartbeat it is Config.Ordered.
func (c *Client) Info() heartbeat.Info {
	ordered := c.cfg.Ordered
	c.group.mu.Lock()
	if c.group.group.Name != "" { // the client has read the settings, even if it must read them again
		ordered = c.group.group.Ordered
	}
	c.group.mu.Unlock()
	group := c.cfg.Group
	if group != "" {
		group = c.cfg.Logstore + "/" + group
	}
	return heartbeat.Info{
		Group:      group,
		TTL:        c.cfg.Timeout,
		Guarantees: heartbeat.Guarantees{FencedCommit: true, Ordered: ordered},
	}
}

// Logstore returns the logstore's name, which is the Log of all shard IDs.
func (c *Client) Logstore() string { return c.cfg.Logstore }

// Close stops the client's goroutines and closes its idle connections, except those of
// Config.Transport. Call it after the last call has returned. If a call still runs, its connection
// stays open for 50 seconds after the call. Calls after Close fail.
//
// Close waits for the goroutines. It waits at most a second for a CredentialsProvider, and returns
// an error if the provider ignores its context. You may call Close more than once.
func (c *Client) Close() error {
	c.background.close()
	for _, t := range c.own {
		t.CloseIdleConnections()
	}
	if c.keys == nil {
		return nil
	}
	return c.keys.close()
}
