package sls

import (
	"net/http"
	"sync"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
)

// Client talks to one logstore and to one consumer group of it. It is a
// heartbeat.Client, a heartbeat.Creator and a processor.Checkpoints. Safe for
// concurrent use by any number of members. It holds connections: Close gives them up.
type Client struct {
	cfg       Config
	endpoint  endpoint
	keys      *keyring // nil: anonymous
	served    sync.Map // the operations that succeeded
	userAgent string
	beats     *route            // for heartbeats and what they need
	data      *route            // for all else
	own       []*http.Transport // those of beats and data that are this client's
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

// Info describes the group service. The group is named with its logstore, "app/billing",
// because each logstore has groups of its own. Commits are fenced by the member's name. Ordered is
// the group's own as it was read last, and before that the Config's.
func (c *Client) Info() heartbeat.Info {
	ordered := c.cfg.Ordered
	c.group.mu.Lock()
	if c.group.group.Name != "" { // it may be in doubt now, but it was read
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

// Close gives up what the client holds: the connections of its own pools, and what it does
// beside its calls, a question to the provider of credentials for instance. Call it when
// the last call has returned: connections of calls that are under way close later, after
// some idle time. Calls after Close fail.
//
// Close waits for what it stops, for a provider no longer than a second: the error says
// that the provider ignores its context. It may be called again, and from any goroutine.
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
