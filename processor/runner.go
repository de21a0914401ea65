package processor

import (
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v4"
	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/shardset"
)

// RunnerConfig is what the runs of one member have in common. A Coordinator fills
// it in; others need it only to run a single processor without a group.
type RunnerConfig struct {
	Member      string
	Epochs      bool // the group service numbers its grants: see Owner.Epochs
	Factory     Factory
	Checkpoints Checkpoints
	Hooks       CheckpointHooks
	// Restart spaces the attempts after errors. Zero fields mean 200 ms and 30 s.
	Restart Backoff
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
	cfg   RunnerConfig
	loads chan struct{} // holds one token for each load under way
	looks looks
}

// NewRunner returns a Runner with the defaults filled in.
func NewRunner(cfg RunnerConfig) *Runner {
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

// Backoff spaces attempts: the first pause is about Min, each further one twice as
// long, up to Max, all of them random by half so that many do not act at once.
type Backoff struct {
	Min, Max time.Duration
}

// Schedule returns a function that gives one pause after the other, without an end.
func (b Backoff) Schedule() func() time.Duration {
	policy := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(b.Min),
		backoff.WithMaxInterval(b.Max),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0),
	)
	return func() time.Duration { return min(policy.NextBackOff(), b.Max) }
}

// Observer hears what runs do, on their own goroutines. Nil fields are not called.
type Observer struct {
	// Started: Process is about to be called.
	Started func(l shardset.Lease, resume Position, found bool)
	// Failed: an attempt ended with err, or user code failed while it stopped.
	// After a positive pause there is another attempt.
	Failed func(l shardset.Lease, err error, pause time.Duration)
	// Halted: an attempt ended with err, made with Halt. The shard stays held, and idle.
	// If it had to go anyway, Failed tells.
	Halted func(l shardset.Lease, err error)
	// Committed: a commit went through, or with an error did not.
	Committed func(c Commit, err error)
	// Moved: the shard's checkpoint is at found, and the run wrote another position last.
	// Somebody else writes it. It is looked at only where the service has no epochs.
	Moved func(l shardset.Lease, wrote, found Position)
	// Poisoned and Skipped: what was said with the methods of Shard, on the goroutine
	// that said it, and before the run is over.
	Poisoned func(l shardset.Lease, p Poison)
	Skipped  func(l shardset.Lease, g Gap)
}
