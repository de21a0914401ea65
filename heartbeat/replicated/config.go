package replicated

import (
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Config configures a Client.
type Config struct {
	// Group is the group's name, for logs and errors. Required; shardset.CheckName has the
	// rule. The Store keeps groups apart.
	Group string
	// TTL is how long a member keeps its shards after its last heartbeat, in a group that this
	// Client creates. When the engine loses a machine, it may accept no writes for some time; the
	// TTL must be well over that time. 100 ms to a year; zero means DefaultTTL. An existing group
	// keeps its own TTL: a Client with another TTL logs that once, and SetTTL changes the group's.
	// Info advises an interval of a quarter of this TTL.
	TTL time.Duration
	// Shards are the shards of a group that this Client creates. If several processes create it at
	// the same time, the shards of the first one count. An existing group keeps its own shards,
	// unless it has none: a Client with other shards logs that once, and SetShards changes the
	// group's. A heartbeat of a Client without Shards creates no group: if there is none, the error
	// matches heartbeat.ErrGroupNotFound.
	Shards []shardset.Shard
	// Ordered makes the children of a split shard wait for their ancestors. It must be the same in
	// all processes of a group: if it differs from the group's, heartbeats fail.
	Ordered bool
	// Logger gets warnings, and changes of the group. Nil: no log.
	Logger *zap.Logger

	ownTTL bool // the user set TTL; it is not the default
}

// DefaultTTL is the TTL of a group whose Config sets none.
const DefaultTTL = 20 * time.Second

// minTTL is the shortest TTL: a shorter one is most likely a number without its unit.
const minTTL = 100 * time.Millisecond

// AddFaults adds every fault of the Config to e. It is for a constructor whose own Config contains
// this one.
func (cfg Config) AddFaults(e *shardset.ConfigError) {
	if err := shardset.CheckName(cfg.Group); err != nil {
		e.Add("Group", "%w", err)
	}
	if cfg.TTL != 0 && (cfg.TTL < minTTL || cfg.TTL > group.MaxTTL) {
		e.Add("TTL", "is %v; it must be %v to %v, or zero for %v", cfg.TTL, minTTL, group.MaxTTL, DefaultTTL)
		cfg.TTL = 0 // so that a bad TTL does not count as a fault of Shards
	}
	if _, err := cfg.withDefaults().document(cfg.Shards, 1, nil); err != nil {
		e.Add("Shards", "is not a list of shards: %w", err)
	}
}

// complete returns a copy with the defaults filled in, or a *shardset.ConfigError.
func (cfg Config) complete(store Store) (Config, error) {
	faults := &shardset.ConfigError{Config: "replicated.Config"}
	if store == nil {
		faults.Add("store", "is nil")
	}
	cfg.AddFaults(faults)
	return cfg.withDefaults(), faults.Err()
}

func (cfg Config) withDefaults() Config {
	if cfg.TTL == 0 {
		cfg.TTL = DefaultTTL
	} else {
		cfg.ownTTL = true
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	return cfg
}

// group returns the Config of a new group whose epochs begin at first.
func (cfg Config) group(first uint64) group.Config {
	return group.Config{TTL: cfg.TTL, Ordered: cfg.Ordered, FirstEpoch: first}
}

// document returns the encoded document of a new group with these shards. gone is the document of
// the deleted group of this name; nil if there is none. The new group's epochs begin at first, or
// above those of gone.
func (cfg Config) document(shards []shardset.Shard, first uint64, gone *state.Document) ([]byte, error) {
	gc := cfg.group(first)
	g, err := group.New(gc)
	if err != nil {
		return nil, err
	}
	d := state.Document{Group: g, Born: first}
	if gone != nil {
		d, err = gone.Remake(gc, shards)
	} else {
		err = g.SetShards(time.Time{}, shards)
	}
	if err != nil {
		return nil, err
	}
	data := d.Encode()
	if _, err := state.ReadVersion(data); err != nil {
		return nil, err // a document that no process could read is not written
	}
	return data, nil
}
