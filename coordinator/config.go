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

// maxDrainTimeout is the longest DrainTimeout. A longer one could overflow when it is added to
// a time.
const maxDrainTimeout = 100 * 365 * 24 * time.Hour

// minInterval is the shortest Interval. A shorter one probably has the wrong unit, and would
// flood the service.
const minInterval = 10 * time.Millisecond

// Config configures a Coordinator. Group and Processor are required. The zero value of every
// other field is a good default.
type Config struct {
	// Group is the service that distributes the shards.
	Group heartbeat.Client
	// Processor makes the processor of each shard.
	Processor processor.Factory

	// Checkpoints stores the positions of the shards. Nil means that Group stores them. Most
	// services can; for one that cannot, New returns an error.
	Checkpoints processor.Checkpoints
	// CheckpointHooks are called around every commit.
	CheckpointHooks processor.CheckpointHooks

	// Member is this worker's name in the group. No other running worker may have it. It
	// should stay the same: a worker that restarts under its old name gets the shards of that
	// name back at once. Empty means the name of the host.
	Member string
	// MemberSuffix, if set, is added to the name after a hyphen, for several workers on one
	// host.
	MemberSuffix string
	// Weight is this member's share of the shards, relative to the others. Zero means 1.
	Weight int

	// Interval is the regular time between heartbeats. At least three intervals must fit into
	// the group's TTL. If they do not fit into the TTL of the first answer, Run returns a
	// *shardset.IntervalError. If the TTL becomes too short later, the worker logs a warning
	// and shortens its interval. It never shortens it below 100 ms: if even that is too long,
	// Run returns the error.
	//
	// Zero means the interval that the Group advises (heartbeat.Info). The worker changes it
	// in proportion to the TTL of the answers. If the Group advises none, zero means 2 s, or a
	// third of the TTL if that is less.
	Interval time.Duration
	// FastInterval is the time between heartbeats while shards move. It holds for two regular
	// intervals after each change. Zero means a tenth of Interval, but at least 100 ms.
	FastInterval time.Duration
	// TryTimeout bounds one heartbeat. It must be at most half of Interval. Zero means a third
	// of Interval.
	TryTimeout time.Duration

	// DrainTimeout is how long a processor may continue after its shard was revoked, or after
	// the worker began to stop. Then the coordinator cancels its context. Zero means 25 s,
	// because many platforms kill a process 30 s after they asked it to stop.
	DrainTimeout time.Duration
	// StuckAfter is how long a processor may ignore its cancelled context before it is
	// reported as stuck. Zero means 5 s.
	StuckAfter time.Duration
	// NoProgressAfter is how long a processor may show no progress before it is reported as
	// stuck: in the log, with the stacks of its goroutines, to Hooks.Stuck and in the Status.
	// The coordinator does not stop it.
	//
	// With package batch, no progress means that a handler neither returns nor acknowledges,
	// or that a call of the Source, of a hook or of the store does not return. A shard that
	// waits for data is idle, not stuck, however long it waits. A processor without package
	// batch calls Commit, Check or ReportProgress to show progress. While it waits for data,
	// it reports a Progress with CaughtUp.
	//
	// Zero means 5 minutes, negative means never.
	NoProgressAfter time.Duration
	// CommitTimeout bounds each load and save of a checkpoint. The call also ends when the
	// lease expires. A heartbeat that is answered during the call does not extend this time.
	// Zero means 10 s.
	CommitTimeout time.Duration
	// Loads is how many checkpoints are loaded at a time, so that a worker that receives a
	// thousand shards does not send a thousand requests at once. Heartbeats do not wait for
	// loads. Zero means 16.
	Loads int
	// Restart sets the pauses before a failed processor starts again. A zero Min means 200 ms,
	// and a zero Max means 30 s.
	Restart processor.Backoff

	// Finite says that the work has an end: Run returns nil once every shard of the group is
	// complete. A shard is complete when its processor has returned processor.ErrShardClosed,
	// or nil before the shard was revoked. If Finite is false, Run continues, because the
	// group may receive more work. Set Finite for every worker of the group: a worker without
	// it keeps running and keeps the remaining shards.
	//
	// A service with the guarantee Completion says when all shards are complete. With another
	// service, a worker whose shards are all complete waits for one TTL of the group and then
	// leaves. During this TTL it can receive the shards of a worker that has crashed. Other
	// workers may still process their shards. If one of them crashes later, its shards go to
	// the remaining workers, or to the next worker that starts. A worker that never had a
	// shard stays until it receives one.
	//
	// When a worker leaves, other workers receive its shards. Their processors start from its
	// last commits and should find nothing to do.
	Finite bool

	// Require lists what the service and the store must promise. New returns an error if they
	// promise less. Ordered is different, because it is a setting of the group that can
	// change. Run checks it with each answer, and returns ErrNotOrdered if the group is not
	// ordered. If the first answer shows this, Run starts no processor.
	Require heartbeat.Guarantees
	// CreateGroup makes Run create the group if the service does not find it. If CreateGroup
	// is false, Run then returns heartbeat.ErrGroupNotFound.
	CreateGroup bool

	// Hooks are called when something happens.
	Hooks Hooks
	// Logger receives one line per event. Nil means no log.
	Logger *zap.Logger

	firmInterval bool // the user set Interval
}

// complete returns a copy with the defaults filled in, and the Group's Info with FencedCommit as
// the store promises it. The error is a *shardset.ConfigError.
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
		// Only the store can fence commits, and it is not the group: ask the store.
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
