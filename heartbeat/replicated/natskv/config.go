package natskv

import (
	"regexp"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/shardset"
)

// DefaultNamespace is the namespace of a Config that does not say.
const DefaultNamespace = "rollcall"

// safeTTL is the shortest TTL that outlives a failover, with some room for the
// heartbeats that are due after it.
const safeTTL = 15 * time.Second

// Config is what a group on JetStream is made with.
type Config struct {
	// Conn is the connection to the servers, with the caller's credentials and TLS; its
	// account needs JetStream. Options has what we advise for it. It stays the caller's
	// to close, after the client. Required.
	Conn *nats.Conn
	// Group is the group's name: 1 to 64 letters, digits, '-' and '_'. Required.
	Group string
	// Namespace is what the buckets are called after: G_<namespace> and
	// M_<namespace>. Groups of different namespaces do not meet. It takes the same
	// characters as Group. Empty means DefaultNamespace.
	Namespace string
	// Replicas is how many nodes keep each value, of buckets that this client makes:
	// 1, 3 or 5. Zero means 1, which is as available as one node is.
	Replicas int
	// RecordsOnDisk keeps what the members said last in files, too: when all nodes are
	// restarted within the TTL, no shard moves. Each heartbeat then waits for disks.
	// It is for a bucket that this client makes.
	RecordsOnDisk bool

	// Shards, TTL, Ordered and Logger are those of replicated.Config. A TTL below 15 s
	// is taken with a warning.
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
		s.log.Warn("the TTL is shorter than a failover of JetStream may last; whenever a leading node is lost, "+
			"all shards change hands", zap.Duration("ttl", s.ttl), zap.Duration("advised", safeTTL))
	}
	return c, nil
}

// NewStore returns the store that New's client uses: the values of one group. It ignores
// Shards and Ordered, and refuses a Config as New does.
func NewStore(cfg Config) (replicated.Store, error) {
	cfg.Shards = nil
	if err := cfg.complete().Err(); err != nil {
		return nil, err
	}
	return openStore(cfg), nil
}

// replicated returns the part of the Config that is not JetStream's.
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
		rest.Group = DefaultNamespace // one fault of the group is enough
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
