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

// maxDrainTimeout is for ever, and can be added to a time.
const maxDrainTimeout = 100 * 365 * 24 * time.Hour

// minInterval keeps a wrong unit from becoming a flood of heartbeats.
const minInterval = 10 * time.Millisecond

// Config is what a Coordinator is made with. Group and Processor are required; the
// zero value of everything else is a good default.
type Config struct {
	// Group is the service that shares the shards out.
	Group heartbeat.Client
	// Processor makes the processor of each shard.
	Processor processor.Factory

	// Checkpoints is where progress is kept. Nil means Group, which most services
	// can do; it is a fault if this one cannot.
	Checkpoints processor.Checkpoints
	// CheckpointHooks are called around every commit.
	CheckpointHooks processor.CheckpointHooks

	// Member is this worker's name in the group. It must be unique among live
	// workers and should be stable, because a restarted worker takes the shards of
	// its name back at once. Empty means the host's name.
	Member string
	// MemberSuffix, if set, is added to the name after a hyphen: for several
	// workers on one host.
	MemberSuffix string
	// Weight is this member's share of the shards relative to the others'. Zero
	// means 1.
	Weight int

	// Interval is the regular time between heartbeats. At least three must fit into
	// the group's TTL, which the first answer tells; otherwise Run returns a
	// *shardset.IntervalError. If the TTL becomes shorter later, the worker beats faster,
	// with a warning, as long as three heartbeats of 100 ms fit. Zero means what the Group
	// advises (heartbeat.Info), which follows the TTL if that is or becomes another; and 2 s
	// where the Group has no opinion, less if the TTL needs it.
	Interval time.Duration
	// FastInterval is the time between heartbeats while shards are moving, for a few
	// intervals at most. Zero means a tenth of Interval, at least 100 ms.
	FastInterval time.Duration
	// TryTimeout bounds one heartbeat; at most half of Interval. Zero means a third.
	TryTimeout time.Duration

	// DrainTimeout is how long a processor may go on after its shard was revoked,
	// or the worker told to stop, before its context is cancelled. Zero means 25 s:
	// many platforms kill a process 30 s after they asked it to stop.
	DrainTimeout time.Duration
	// StuckAfter is how long a processor may ignore a cancelled context before it
	// is reported as stuck. Zero means 5 s.
	StuckAfter time.Duration
	// NoProgressAfter is how long a processor may give no sign of progress before it is
	// reported as stuck: in the log, with the stacks of its goroutines, to Hooks.Stuck and
	// in the Status. Nothing is stopped. With package batch that is a handler that neither returns
	// nor acknowledges, or a call of the Source, of a hook or of the store that does not
	// return; a shard that waits for data is idle, however long. Any other processor shows
	// that it goes on with Commit, Check or ReportProgress, and that it is idle with ReportProgress and
	// Progress.CaughtUp. Zero means 5 minutes, negative never.
	NoProgressAfter time.Duration
	// CommitTimeout bounds each load and save of a checkpoint, which the end of the
	// lease, as it stood when it began, bounds too. Zero means 10 s.
	CommitTimeout time.Duration
	// Loads is how many checkpoints are loaded at a time: a worker that is granted a
	// thousand shards at once does not make a thousand requests at once. Heartbeats do
	// not wait for loads. Zero means 16.
	Loads int
	// Restart spaces the restarts of a failing processor. Zero fields mean 200 ms
	// and 30 s.
	Restart processor.Backoff

	// Finite says that the work has an end: Run returns nil once every shard of the
	// group is done, which is when its processor returned nil by itself, or
	// processor.ErrShardClosed. Without it Run goes on, because the group may get more
	// to do. Set it for every worker of the group: one that has it not stays, and holds
	// what the others leave.
	//
	// A service with the guarantee Finish says when all is done. On any other, a
	// worker with nothing but done shards waits for one TTL of the group, in case
	// somebody else crashed before, and goes, while others may be at work still; who
	// crashes after that leaves its shards to whoever is there or starts next. A worker
	// that never had a shard stays until it gets one.
	//
	// When a worker goes, those that are still there get its shards, with any service:
	// their processors start from its last commits and should find nothing to do.
	Finite bool

	// Require lists what the service and the store must promise; New refuses those
	// that do not. Ordered is a setting of the group, so it is checked with each answer:
	// Run returns ErrNotOrdered, before it starts anything if the group never was ordered.
	Require heartbeat.Guarantees
	// CreateGroup makes the group anew when the service does not find it. Otherwise
	// Run returns heartbeat.ErrGroupNotFound.
	CreateGroup bool

	// Hooks are told what happens.
	Hooks Hooks
	// Logger takes one line per event. Nil means silence.
	Logger *zap.Logger

	firmInterval bool // Interval was set, not chosen by complete
}

// complete returns a copy with the defaults filled in, and what the group and the
// store promise together; or a *shardset.ConfigError.
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
		// Who fences is the store, and this one is not the group.
		fencer, ok := cfg.Checkpoints.(processor.Fencer)
		info.Guarantees.FencedCommit = ok && fencer.FencesCommits()
	}
	_, pushes := cfg.Group.(heartbeat.Notifier)
	cfg.checkPromise(faults, "Push", info.Guarantees.Push, "Notifier", pushes)
	_, leaves := cfg.Group.(heartbeat.Leaver)
	cfg.checkPromise(faults, "Leave", info.Guarantees.Leave, "Leaver", leaves)
	required := cfg.Require
	required.Ordered = false // the group tells
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

// same reports whether the store and the group are one value. Values that cannot be
// compared are taken for one if they are of one type.
func same(store processor.Checkpoints, group heartbeat.Client) bool {
	t := reflect.TypeOf(store)
	return t == reflect.TypeOf(group) && (!reflect.ValueOf(store).Comparable() || any(store) == any(group))
}

func (cfg *Config) completeMember(faults *shardset.ConfigError) {
	if cfg.Member == "" {
		host, err := os.Hostname()
		if err != nil {
			faults.Add("Member", "is empty, and the host has no name: %v", err)
			return
		}
		cfg.Member = host
	}
	if cfg.MemberSuffix != "" {
		cfg.Member += "-" + cfg.MemberSuffix
	}
	if err := shardset.CheckName(cfg.Member); err != nil {
		faults.Add("Member", "%v", err)
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
