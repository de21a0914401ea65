package memory

import (
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// DefaultTTL is the TTL of a group whose Config has none.
const DefaultTTL = 6 * time.Second

// Config describes the group that New makes.
type Config struct {
	// Group is the group's name, for logs. It must pass shardset.CheckName. Empty means
	// "memory".
	Group string
	// TTL is how long a member keeps its shards after its last heartbeat, at most group.MaxTTL. If
	// a worker sets its own heartbeat interval, the interval must be at most a third of the TTL.
	// Zero means DefaultTTL.
	TTL time.Duration
	// Shards are the shards of the group; empty means none. SetShards changes them later.
	Shards []shardset.Shard
	// Ordered makes the children of a split shard wait until their ancestors are closed.
	Ordered bool
}

// New returns a service with one group. If the Config has faults, New returns a
// *shardset.ConfigError that lists all of them.
func New(cfg Config) (*Service, error) {
	faults := &shardset.ConfigError{Config: "memory.Config"}
	if cfg.Group == "" {
		cfg.Group = "memory"
	}
	if err := shardset.CheckName(cfg.Group); err != nil {
		faults.Add("Group", "%w", err)
	}
	if cfg.TTL < 0 || cfg.TTL > group.MaxTTL {
		faults.Add("TTL", "is %v; it must be positive and at most %v, or zero for %v", cfg.TTL, group.MaxTTL, DefaultTTL)
		cfg.TTL = 0
	}
	if cfg.TTL == 0 {
		cfg.TTL = DefaultTTL
	}
	s := &Service{
		name:     cfg.Group,
		cfg:      group.Config{TTL: cfg.TTL, Ordered: cfg.Ordered},
		watchers: map[string]map[chan struct{}]struct{}{},
	}
	if err := s.reset(time.Now(), slices.Clone(cfg.Shards)); err != nil {
		faults.Add("Shards", "is not a list of shards: %w", err)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return s, nil
}
