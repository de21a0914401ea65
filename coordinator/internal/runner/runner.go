package runner

import (
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/coordinator/internal/event"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Config configures all runs of one member. Member, Factory and Checkpoints are required.
type Config struct {
	Member      string
	Epochs      bool // the group service counts the epochs: see processor.Owner
	Factory     processor.Factory
	Checkpoints processor.Checkpoints
	Hooks       processor.CheckpointHooks
	// Restart sets the pauses after failed attempts. Zero fields mean 200 ms and 30 s.
	Restart processor.Backoff
	// CommitTimeout bounds each load and save. Zero means 10 s.
	CommitTimeout time.Duration
	// Loads is how many checkpoints are loaded at the same time. Zero means 16.
	Loads int
	// Report is called for each event of a shard, on the goroutine where it happens. Nil means
	// that nothing is called.
	Report func(event.Event)
	// Logger is the base of processor.Shard.Logger. Nil means no log.
	Logger *zap.Logger
}

// Runner makes the runs of one member. It is safe for concurrent use.
type Runner struct {
	cfg   Config
	loads chan struct{} // has one element for each load in flight
	moves moveChecks
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

// labels returns the profile labels of all goroutines of a run.
func (rn *Runner) labels(l shardset.Lease) []string {
	return []string{
		"rollcall.member", rn.cfg.Member, "rollcall.shard", l.ID.String(), "rollcall.epoch", strconv.FormatUint(l.Epoch, 10),
	}
}
