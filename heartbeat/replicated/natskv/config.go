package natskv

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/shardset/group"
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
	Shards  []group.Shard
	TTL     time.Duration
	Ordered bool
	Logger  *zap.Logger
}

// New returns the group's client. It reports every fault of the Config at once, and does
// no I/O: the first call to the client does.
func New(cfg Config) (*replicated.Client, error) {
	s, faults := newStore(cfg)
	rest := replicated.Config{
		Group: cfg.Group, TTL: cfg.TTL, Shards: cfg.Shards, Ordered: cfg.Ordered, Logger: cfg.Logger,
	}
	if !validName(rest.Group) {
		rest.Group = DefaultNamespace // its fault is among ours
	}
	c, err := replicated.New(s, rest)
	if err := errors.Join(faults, err); err != nil {
		return nil, fmt.Errorf("natskv: %w", err)
	}
	if s.ttl < safeTTL {
		s.log.Warn("the TTL is shorter than a failover of JetStream may last; whenever a leading node is lost, "+
			"all shards change hands", zap.Duration("ttl", s.ttl), zap.Duration("advised", safeTTL))
	}
	return c, nil
}

// NewStore returns the store under New's client: the values of one group. Shards and
// Ordered have no bearing on it.
func NewStore(cfg Config) (replicated.Store, error) {
	s, faults := newStore(cfg)
	if cfg.TTL < 0 {
		faults = errors.Join(faults, fmt.Errorf("the field TTL is %v; it must not be negative", cfg.TTL))
	}
	if faults != nil {
		return nil, fmt.Errorf("natskv: %w", faults)
	}
	return s, nil
}

// newStore makes a store, and reports what of the Config is faulty. The TTL is left to
// the callers: replicated.New looks at it, too.
func newStore(cfg Config) (*store, error) {
	if cfg.Namespace == "" {
		cfg.Namespace = DefaultNamespace
	}
	if cfg.Replicas == 0 {
		cfg.Replicas = 1
	}
	if cfg.TTL <= 0 {
		cfg.TTL = replicated.DefaultTTL
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	var faults []error
	if cfg.Conn == nil {
		faults = append(faults, errors.New("the field Conn is nil"))
	}
	if !validName(cfg.Group) {
		faults = append(faults, nameFault("Group", cfg.Group))
	}
	if !validName(cfg.Namespace) {
		faults = append(faults, nameFault("Namespace", cfg.Namespace))
	}
	if r := cfg.Replicas; r != 1 && r != 3 && r != 5 {
		faults = append(faults, fmt.Errorf("the field Replicas is %d; it must be 1, 3 or 5", r))
	}
	return openStore(cfg), errors.Join(faults...)
}

var namePattern = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

func validName(name string) bool { return namePattern.MatchString(name) }

func nameFault(field, value string) error {
	return fmt.Errorf("the field %s is %.80q; it must be 1 to 64 letters, digits, '-' and '_'", field, value)
}
