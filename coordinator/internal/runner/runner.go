package runner

import (
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Config is what the runs of one member have in common.
type Config struct {
	Member      string
	Epochs      bool // the group service numbers its grants: see processor.Owner
	Factory     processor.Factory
	Checkpoints processor.Checkpoints
	Hooks       processor.CheckpointHooks
	// Restart spaces the attempts after errors. Zero fields mean 200 ms and 30 s.
	Restart processor.Backoff
	// CommitTimeout bounds each load and save. Zero means 10 s.
	CommitTimeout time.Duration
	// Loads is how many checkpoints are loaded at a time. Zero means 16.
	Loads    int
	Observer Observer
	// Logger is what Shard.Logger derives from. Nil means none.
	Logger *zap.Logger
}

// Runner makes Runs.
type Runner struct {
	cfg   Config
	loads chan struct{} // holds one token for each load under way
	looks looks
}

// New returns a Runner with the defaults filled in.
func New(cfg Config) *Runner {
	if cfg.Restart.Min <= 0 {
		cfg.Restart.Min = 200 * time.Millisecond
	}
	if cfg.Restart.Max <= 0 {
		cfg.Restart.Max = 30 * time.Second
	}
	cfg.Restart.Max = max(cfg.Restart.Min, cfg.Restart.Max)
	if cfg.CommitTimeout <= 0 {
		cfg.CommitTimeout = 10 * time.Second
	}
	if cfg.Loads <= 0 {
		cfg.Loads = 16
	}
	if cfg.Logger == nil {
		cfg.Logger = zap.NewNop()
	}
	return &Runner{cfg: cfg, loads: make(chan struct{}, cfg.Loads)}
}

// labels are those of a run's goroutines in profiles.
func (rn *Runner) labels(l shardset.Lease) []string {
	return []string{
		"rollcall.member", rn.cfg.Member, "rollcall.shard", l.ID.String(), "rollcall.epoch", strconv.FormatUint(l.Epoch, 10),
	}
}

// Observer hears what runs do, on their own goroutines. Nil fields are not called.
type Observer struct {
	// Started: Process is about to be called.
	Started func(l shardset.Lease, resume processor.Position, found bool)
	// Failed: an attempt ended with err, or user code failed while it stopped.
	// After a positive pause there is another attempt.
	Failed func(l shardset.Lease, err error, pause time.Duration)
	// Halted: an attempt ended with err, made with Halt. The shard stays held, and idle.
	// If it had to go anyway, Failed tells.
	Halted func(l shardset.Lease, err error)
	// Committed: a commit went through, or with an error did not.
	Committed func(c processor.Commit, err error)
	// Moved: the shard's checkpoint is at found, and the run wrote another position last.
	// Somebody else writes it. It is looked at only where the service has no epochs.
	Moved func(l shardset.Lease, wrote, found processor.Position)
	// Poisoned and Skipped: what was said with the methods of Shard, on the goroutine
	// that said it, and before the run is over.
	Poisoned func(l shardset.Lease, p processor.Poison)
	Skipped  func(l shardset.Lease, g processor.Gap)
}
