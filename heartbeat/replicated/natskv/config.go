package natskv

import (
	"regexp"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/shardset"
)

// DefaultNamespace is the namespace of a Config without one.
const DefaultNamespace = "rollcall"

// safeTTL is the shortest TTL that is long enough for a failover and the heartbeats after it.
const safeTTL = 15 * time.Second

// Config configures a group on JetStream. Conn and Group are required.
type Config struct {
	// Conn is the connection to the servers, made with Options and the caller's credentials
	// and TLS. Its account needs JetStream. The caller closes it, after the client.
	// Required.
	Conn *nats.Conn
	// Group is the name of the group: 1 to 64 letters, digits, '-' and '_'. Required.
	Group string
	// Namespace names the buckets: G_<namespace> and M_<namespace>. Groups of different
	// namespaces are separate. It takes the same characters as Group. Empty means
	// DefaultNamespace.
	Namespace string
	// Replicas is the number of nodes that store each value: 1, 3 or 5. It applies to
	// buckets that this client creates. Zero means 1: the group cannot work while that node
	// is down.
	Replicas int
	// RecordsOnDisk stores the records of the members on disk instead of in memory. If all
	// nodes restart within the TTL, no shard moves. The price: each heartbeat waits for a
	// disk. It applies to a bucket that this client creates.
	RecordsOnDisk bool

	// Shards, TTL, Ordered and Logger mean the same as in replicated.Config. New logs a
	// warning if TTL is below 15 s.
	Shards  []shardset.Shard
	TTL     time.Duration
	Ordered bool
	Logger  *zap.Logger
}

// New returns the client of the group. It does no I/O; the first call to the client does.
// A Config with faults is refused with one *shardset.ConfigError that lists all of them.
func New(cfg Config) (*replicated.Client, error) {
	if err := cfg.complete().Err(); err != nil {
		return nil, err
	}
	s := openStore(cfg)
	c, err := replicated.New(s, cfg.replicated())
	if err != nil {
		return nil, err
	}
	if s.ttl < safeTTL {
		s.log.Warn("the TTL is shorter than a failover of JetStream can take; the loss of a leading node then moves all shards", zap.Duration("ttl", s.ttl), zap.Duration("advised", safeTTL))
	}
	return c, nil
}

// NewStore returns the store that the client of New uses. It reads and writes the values of
// one group, for tools and tests. It ignores Shards and Ordered, and refuses a Config as New
// does.
func NewStore(cfg Config) (replicated.Store, error) {
	cfg.Shards = nil
	if err := cfg.complete().Err(); err != nil {
		return nil, err
	}
	return openStore(cfg), nil
}

// replicated returns the part of the Config that does not depend on JetStream.
func (c Config) replicated() replicated.Config {
	return replicated.Config{Group: c.Group, TTL: c.TTL, Shards: c.Shards, Ordered: c.Ordered, Logger: c.Logger}
}

// complete sets the defaults, and returns the faults.
func (c *Config) complete() *shardset.ConfigError {
	if c.Namespace == "" {
		c.Namespace = DefaultNamespace
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	faults := &shardset.ConfigError{Config: "natskv.Config"}
	if c.Conn == nil {
		faults.Add("Conn", "is nil")
	}
	rest := c.replicated()
	if !validName(c.Group) {
		faults.Add("Group", badName, c.Group)
		rest.Group = DefaultNamespace // a valid name, so that AddFaults does not report Group again
	}
	if !validName(c.Namespace) {
		faults.Add("Namespace", badName, c.Namespace)
	}
	if r := c.Replicas; r != 1 && r != 3 && r != 5 {
		faults.Add("Replicas", "is %d; it must be 1, 3 or 5", r)
	}
	rest.AddFaults(faults)
	return faults
}

// namePattern is stricter than shardset.CheckName: JetStream takes no other characters in
// the names of streams and subjects.
var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

const badName = "is %.80q; it must be 1 to 64 letters, digits, '-' and '_'"

func validName(name string) bool { return namePattern.MatchString(name) }
