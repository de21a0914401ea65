package replicated

import (
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Config is what a Client is made with, beside its Store.
type Config struct {
	// Group is the group's name, for logs and errors. Required; shardset.CheckName has the
	// rule. The Store keeps groups apart.
	Group string
	// TTL is how long a member keeps its shards after its last heartbeat, in a group that this
	// Client creates. It must be well over the time for which the engine takes no writes when
	// it loses a machine. 100 ms to a year; zero means DefaultTTL. A group that exists keeps its
	// own TTL: a Client whose TTL differs logs that once, and SetTTL changes it. Info advises an
	// interval of a quarter of this TTL.
	TTL time.Duration
	// Shards are the shards of a group that this Client creates. If several processes come at
	// the same time, those of the first one count. A group that exists keeps its own shards,
	// unless it has none: a Client whose shards differ logs that once, and SetShards changes
	// them. A Client without Shards creates no group; it gets heartbeat.ErrGroupNotFound where
	// there is none.
	Shards []shardset.Shard
	// Ordered makes the children of a split shard wait for their ancestors. All processes of a
	// group must agree: heartbeats of one that does not are refused.
	Ordered bool
	// Logger gets warnings, and changes of the group. Nil: no log.
	Logger *zap.Logger

	ownTTL bool // the user set TTL; it is not the default
}

// DefaultTTL is the TTL of a group whose Config sets none.
const DefaultTTL = 20 * time.Second

// minTTL is the shortest TTL: a shorter one has most likely lost its unit.
const minTTL = 100 * time.Millisecond

// AddFaults adds every fault of the Config to e, for a constructor that takes one as a part of
// its own Config.
func (cfg Config) AddFaults(e *shardset.ConfigError) {
	if err := shardset.CheckName(cfg.Group); err != nil {
		e.Add("Group", "%w", err)
	}
	if cfg.TTL != 0 && (cfg.TTL < minTTL || cfg.TTL > group.MaxTTL) {
		e.Add("TTL", "is %v; it must be %v to %v, or zero for %v", cfg.TTL, minTTL, group.MaxTTL, DefaultTTL)
		cfg.TTL = 0 // for what is checked with it
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

// group returns what a group whose epochs begin at first is made with.
func (cfg Config) group(first uint64) group.Config {
	return group.Config{TTL: cfg.TTL, Ordered: cfg.Ordered, FirstEpoch: first}
}

// document returns a group that has these shards; gone is the document of the deleted one
// that it comes after, if there is one. Its epochs begin at first, or above those of gone.
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
