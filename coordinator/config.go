package coordinator

import (
	"os"
	"reflect"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Defaults of Config.
const (
	DefaultInterval      = 2 * time.Second
	DefaultDrainTimeout  = 25 * time.Second
	DefaultStuckAfter    = 5 * time.Second
	DefaultCommitTimeout = 10 * time.Second
	DefaultLoads         = 16

	DefaultNoProgressAfter = 5 * time.Minute
)

// maxDrainTimeout is practically endless, and does not overflow when added to a time.
const maxDrainTimeout = 100 * 365 * 24 * time.Hour

// minInterval refuses an interval in a wrong unit, which would flood the service.
const minInterval = 10 * time.Millisecond

// Config configures a Coordinator. Group and Processor are required. The zero value of every
// other field is a good default.
type Config struct {
	// Group is the service that distributes the shards.
	Group heartbeat.Client
	// Processor makes the processor of each shard.
	Processor processor.Factory

	// Checkpoints stores the progress. Nil means Group, which most services support; New
	// refuses a Group that does not.
	Checkpoints processor.Checkpoints
	// CheckpointHooks are called around every commit.
	CheckpointHooks processor.CheckpointHooks

	// Member is this worker's name in the group. It must be unique among live workers. It
	// should be stable: a restarted worker takes the shards of its name back at once. Empty
	// means the name of the host.
	Member string
	// MemberSuffix, if set, is added to the name after a hyphen, for several workers on one
	// host.
	MemberSuffix string
	// Weight is this member's share of the shards, relative to the others. Zero means 1.
	Weight int

	// Interval is the regular time between heartbeats. At least three must fit into the
	// group's TTL, which comes with the first answer; otherwise Run returns a
	// *shardset.IntervalError. If the TTL becomes shorter later, the worker sends heartbeats
	// more often and logs a warning, as long as three intervals of 100 ms fit.
	//
	// Zero means what the Group advises (heartbeat.Info), in proportion to its TTL. Without
	// advice it means 2 s, or less if the TTL requires that.
	Interval time.Duration
	// FastInterval is the time between heartbeats while shards move, for a few intervals at
	// most. Zero means a tenth of Interval, at least 100 ms.
	FastInterval time.Duration
	// TryTimeout bounds one heartbeat. It is at most half of Interval. Zero means a third.
	TryTimeout time.Duration

	// DrainTimeout is how long a processor may go on after its shard was revoked, or after
	// the worker began to stop. Then its context is cancelled. Zero means 25 s: many
	// platforms kill a process 30 s after they asked it to stop.
	DrainTimeout time.Duration
	// StuckAfter is how long a processor may ignore its cancelled context before it is
	// reported as stuck. Zero means 5 s.
	StuckAfter time.Duration
	// NoProgressAfter is how long a processor may show no progress before it is reported as
	// stuck: in the log, with the stacks of its goroutines, to Hooks.Stuck and in the Status.
	// Nothing is stopped.
	//
	// With package batch, no progress means that a handler neither returns nor acknowledges,
	// or that a call of the Source, of a hook or of the store does not return. A shard that
	// waits for data is idle, however long. Any other processor shows progress with Commit,
	// Check or ReportProgress, and that it is idle with Progress.CaughtUp.
	//
	// Zero means 5 minutes, negative never.
	NoProgressAfter time.Duration
	// CommitTimeout bounds each load and save of a checkpoint. The end of the lease, as it
	// was when the call began, bounds them too. Zero means 10 s.
	CommitTimeout time.Duration
	// Loads is how many checkpoints are loaded at a time, so that a worker that receives a
	// thousand shards does not send a thousand requests at once. Heartbeats do not wait for
	// loads. Zero means 16.
	Loads int
	// Restart spaces the restarts of a failing processor. Zero fields mean 200 ms and 30 s.
	Restart processor.Backoff

	// Finite says that the work has an end: Run returns nil once every shard of the group is
	// complete, which means that its processor returned nil by itself, or
	// processor.ErrShardClosed. Without it Run goes on, because the group may receive more
	// work. Set it for every worker of the group: a worker without it keeps running and keeps
	// the remaining shards.
	//
	// With the guarantee Completion the service says when all shards are complete. Without
	// it, a worker whose shards are all complete waits for one TTL of the group, in case
	// another worker crashed before, and then leaves. Others may still be at work; if one of
	// them crashes after that, its shards go to the remaining workers or to the next one that
	// starts. A worker that never had a shard stays until it receives one.
	//
	// When a worker leaves, other workers receive its shards. Their processors start from its
	// last commits and should find nothing to do.
	Finite bool

	// Require lists what the service and the store must promise. New refuses those that do
	// not. Ordered is a setting of the group, so it is checked with each answer: Run returns
	// ErrNotOrdered, and if the group never was ordered it starts nothing.
	Require heartbeat.Guarantees
	// CreateGroup creates the group if the service does not find it. Otherwise Run returns
	// heartbeat.ErrGroupNotFound.
	CreateGroup bool

	// Hooks are called when something happens.
	Hooks Hooks
	// Logger receives one line per event. Nil means no log.
	Logger *zap.Logger

	firmInterval bool // Interval was set, not chosen by complete
}

// complete returns a copy with the defaults filled in, and the Info of the group and the store
// together. The error is a *shardset.ConfigError.
func (cfg Config) complete() (Config, heartbeat.Info, error) {
	faults := &shardset.ConfigError{Config: "coordinator.Config"}
	info := cfg.completeService(faults)
	cfg.completeMember(faults)
	cfg.completeTimes(faults, info.Interval)
	if cfg.Processor == nil {
		faults.Add("Processor", "is nil; a function becomes one with processor.FromFunc(f)")
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	if err := faults.Err(); err != nil {
		return Config{}, heartbeat.Info{}, err
	}
	return cfg, info, nil
}

func (cfg *Config) completeService(faults *shardset.ConfigError) heartbeat.Info {
	if cfg.Group == nil {
		faults.Add("Group", "is nil; memory.New makes an embedded one")
		return heartbeat.Info{}
	}
	info := cfg.Group.Info()
	if cfg.Checkpoints == nil {
		store, ok := cfg.Group.(processor.Checkpoints)
		if !ok {
			faults.Add("Checkpoints", "is nil, and the Group (%T) does not store checkpoints", cfg.Group)
		}
		cfg.Checkpoints = store
	} else if !same(cfg.Checkpoints, cfg.Group) {
		// The store fences commits, and it is not the group.
		fencer, ok := cfg.Checkpoints.(processor.Fencer)
		info.Guarantees.FencedCommit = ok && fencer.FencesCommits()
	}
	_, pushes := cfg.Group.(heartbeat.Notifier)
	cfg.checkPromise(faults, "Push", info.Guarantees.Push, "Notifier", pushes)
	_, leaves := cfg.Group.(heartbeat.Leaver)
	cfg.checkPromise(faults, "Leave", info.Guarantees.Leave, "Leaver", leaves)
	required := cfg.Require
	required.Ordered = false // known with the first answer
	if missing := info.Guarantees.Missing(required); missing != (heartbeat.Guarantees{}) {
		faults.Add("Require", "asks for what the group %q and its store do not promise: %s", info.Group, missing)
	}
	if _, ok := cfg.Group.(heartbeat.Creator); cfg.CreateGroup && !ok {
		faults.Add("CreateGroup", "is set, but the Group (%T) cannot create groups", cfg.Group)
	}
	return info
}

// checkPromise compares what the Group promises with what it implements.
func (cfg *Config) checkPromise(faults *shardset.ConfigError, guarantee string, promised bool, ability string, able bool) {
	switch {
	case promised && !able:
		faults.Add("Group", "is a %T, which promises %s but is no heartbeat.%s", cfg.Group, guarantee, ability)
	case able && !promised:
		faults.Add("Group", "is a %T, which is a heartbeat.%s but does not promise %s", cfg.Group, ability, guarantee)
	}
}

// same reports whether the store and the group are the same value. For values that cannot be
// compared, the same type is enough.
func same(store processor.Checkpoints, group heartbeat.Client) bool {
	t := reflect.TypeOf(store)
	return t == reflect.TypeOf(group) && (!reflect.ValueOf(store).Comparable() || any(store) == any(group))
}

func (cfg *Config) completeMember(faults *shardset.ConfigError) {
	if cfg.Member == "" {
		host, err := os.Hostname()
		if err != nil {
			faults.Add("Member", "is empty, and the host has no name: %w", err)
			return
		}
		cfg.Member = host
	}
	if cfg.MemberSuffix != "" {
		cfg.Member += "-" + cfg.MemberSuffix
	}
	if err := shardset.CheckName(cfg.Member); err != nil {
		faults.Add("Member", "%w", err)
	}
	if cfg.Weight < 0 || cfg.Weight > shardset.MaxWeight {
		faults.Add("Weight", "is %d; it must be between 0 and %d", cfg.Weight, shardset.MaxWeight)
	}
}

func (cfg *Config) completeTimes(faults *shardset.ConfigError, advised time.Duration) {
	positive := func(field string, d *time.Duration, byDefault time.Duration) {
		if *d < 0 {
			faults.Add(field, "is %v; it must not be negative", *d)
		}
		if *d == 0 {
			*d = byDefault
		}
	}
	if advised < minInterval {
		advised = DefaultInterval
	}
	cfg.firmInterval = cfg.Interval != 0
	positive("Interval", &cfg.Interval, advised)
	if cfg.Interval > 0 && cfg.Interval < minInterval {
		faults.Add("Interval", "is %v; it must be at least %v", cfg.Interval, minInterval)
	}
	positive("FastInterval", &cfg.FastInterval, min(cfg.Interval, max(cfg.Interval/10, 100*time.Millisecond)))
	if cfg.FastInterval > cfg.Interval && cfg.Interval > 0 {
		faults.Add("FastInterval", "is %v, which is longer than the Interval %v", cfg.FastInterval, cfg.Interval)
	}
	positive("TryTimeout", &cfg.TryTimeout, cfg.Interval/3)
	if cfg.TryTimeout > cfg.Interval/2 && cfg.Interval > 0 {
		faults.Add("TryTimeout", "is %v; it must be at most half of the Interval %v", cfg.TryTimeout, cfg.Interval)
	}
	positive("DrainTimeout", &cfg.DrainTimeout, DefaultDrainTimeout)
	cfg.DrainTimeout = min(cfg.DrainTimeout, maxDrainTimeout)
	positive("StuckAfter", &cfg.StuckAfter, DefaultStuckAfter)
	if cfg.NoProgressAfter == 0 {
		cfg.NoProgressAfter = DefaultNoProgressAfter
	}
	positive("CommitTimeout", &cfg.CommitTimeout, DefaultCommitTimeout)
	if cfg.Loads < 0 {
		faults.Add("Loads", "is %d; it must not be negative", cfg.Loads)
	}
	if cfg.Loads == 0 {
		cfg.Loads = DefaultLoads
	}
	if cfg.Restart.Min < 0 || cfg.Restart.Max < 0 {
		faults.Add("Restart", "is %v to %v; neither must be negative", cfg.Restart.Min, cfg.Restart.Max)
	}
	if cfg.Restart.Max > 0 && cfg.Restart.Max < cfg.Restart.Min {
		faults.Add("Restart", "is %v to %v; Max must not be less than Min", cfg.Restart.Min, cfg.Restart.Max)
	}
}
