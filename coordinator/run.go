package coordinator

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// drainBound is how long Run may take after its drain timeout. For the first 50 ms, the Tracker
// waits for cancelled processors. The rest is for the last call to the service and the last
// hooks. Run promises 100 ms, which leaves 15 ms for a busy machine.
const drainBound = 85 * time.Millisecond

// run is one call of Coordinator.Run. The goroutine that runs the method own is the owner: it waits
// only for the channels of run. Some fields are for the owner only. The other fields are set before
// any goroutine starts.
type run struct {
	cfg    Config
	info   heartbeat.Info
	runner *runner.Runner
	tasks  tasks
	rec    *recorder

	calls    chan func()     // jobs for the owner
	requests chan request    // from the owner to the heartbeat goroutine
	outcomes chan outcome    // from the heartbeat goroutine to the owner
	pushes   chan struct{}   // from the watch to the owner
	over     chan struct{}   // closed when the owner has ended
	final    Status          // the last status, set before over is closed
	base     context.Context // gives its values to the processors' contexts

	// The fields below are for the owner only.
	tracker     *shardset.Tracker
	lease       *runner.MemberLease // the lease that all shards share; nil: none
	runs        map[shardset.ID]*runner.Run
	stuck       map[shardset.ID]bool
	stalled     map[shardset.ID]time.Time // the last sign of progress
	stacksAt    time.Time                 // when the stacks of a processor were logged last
	wakeTimer   *time.Timer               // of the Tracker
	beatTimer   *time.Timer               // of the Pacer
	pacer       shardset.Pacer
	sentAt      time.Time // of the newest heartbeat
	lastBeat    time.Time // of the newest answered one
	interval    time.Duration
	tryTimeout  time.Duration        // of one heartbeat
	guarantees  heartbeat.Guarantees // according to the newest answer
	beatErrors  int
	lastErr     error
	failure     error     // why Run ends; nil: its context ended, or the work is complete
	stopBy      time.Time // when Run has to return; zero: not leaving
	left        bool
	reported    State     // what the Member hook was last called with
	joined      bool      // the member has had a lease
	granted     bool      // the member has been granted a shard
	watchErr    error     // why the watch does not work; nil: it does, or there is none
	watchDownAt time.Time // when the watch failed
	logWaitAt   time.Time // when logWaiting may log again
}

func newRun(cfg Config, info heartbeat.Info) *run {
	r := &run{
		cfg:      cfg,
		info:     info,
		calls:    make(chan func()),
		requests: make(chan request, 1),
		outcomes: make(chan outcome, 1),
		pushes:   make(chan struct{}, 1),
		over:     make(chan struct{}),
		runs:     map[shardset.ID]*runner.Run{},
		stuck:    map[shardset.ID]bool{},

		stalled: map[shardset.ID]time.Time{},

		interval: cfg.Interval, tryTimeout: cfg.TryTimeout, guarantees: info.Guarantees,
	}
	r.rec = newRecorder(cfg, r.info)
	r.runner = runner.New(runner.Config{
		Member:        cfg.Member,
		Epochs:        r.info.Guarantees.Epochs,
		Factory:       cfg.Processor,
		Checkpoints:   cfg.Checkpoints,
		Hooks:         cfg.CheckpointHooks,
		Restart:       cfg.Restart,
		CommitTimeout: cfg.CommitTimeout,
		Loads:         cfg.Loads,
		Report:        r.rec.shard,
		Logger:        r.rec.log,
	})
	r.tracker = shardset.NewTracker(shardset.TrackerConfig{
		Member:       cfg.Member,
		Weight:       cfg.Weight,
		Instance:     newInstance(),
		Interval:     cfg.Interval,
		FirmInterval: cfg.firmInterval,
		FollowTTL:    !cfg.firmInterval && cfg.Interval == r.info.Interval,
		TTL:          r.info.TTL,
		Fast:         cfg.FastInterval, // even if the service pushes: a watch can break unnoticed
		Grid:         !r.info.Guarantees.Push,
		DrainTimeout: cfg.DrainTimeout,
		StuckAfter:   cfg.StuckAfter,
		RestartPause: cfg.Interval,
		CanLeave:     r.canLeave(),
		Finite:       cfg.Finite,
		Completion:   r.info.Guarantees.Completion,
	})
	return r
}

// newInstance returns the number of this run of the member. It contains the time, so that a later
// process has a larger number, and random bits, so that two processes never share one, even if
// a store has lost its records.
func newInstance() uint64 {
	const random = 20 // bits; shardset.Tracker keeps these bits when it chooses a higher instance
	return uint64(time.Now().UnixMilli())<<random | rand.Uint64N(1<<random)
}

func (r *run) canLeave() bool {
	_, ok := r.cfg.Group.(heartbeat.Leaver)
	return ok
}

// run implements Coordinator.Run.
func (r *run) run(ctx context.Context) error {
	r.base = context.WithoutCancel(ctx)
	beating, stopBeating := context.WithCancel(r.base)
	defer stopBeating()
	r.wakeTimer, r.beatTimer = time.NewTimer(0), time.NewTimer(0)
	defer r.wakeTimer.Stop()
	defer r.beatTimer.Stop()

	r.tasks.launch(func() { r.rec.calls.work(r.tasks.launch) })
	r.tasks.launch(func() { r.rec.lines.work(r.tasks.launch) })
	r.rec.joining(r.tracker.Instance(), r.info.Guarantees)
	calling := r.tasks.watch(func() { r.callService(beating) })
	watching := r.tasks.watch(func() { r.watch(beating) })

	r.own(ctx)
	stopBeating()
	drain := &DrainError{Timeout: r.cfg.DrainTimeout}
	for _, s := range r.tracker.Shards() {
		drain.Shards = append(drain.Shards, s.ID)
	}
	// Each part gets a share of the remaining time. So a part that hangs leaves time for the
	// others, and the error names only that part.
	if end := r.share(3); !closed(calling, end) || !closed(watching, end) {
		drain.Parts = append(drain.Parts, "heartbeat")
	}
	if !r.leaveGroup() {
		drain.Parts = append(drain.Parts, "leave")
	}
	r.rec.calls.close()
	if !closed(r.rec.calls.done, r.share(2)) {
		drain.Parts = append(drain.Parts, "hooks")
	}
	r.rec.stopped(r.joined, drain.Shards)
	r.rec.lines.close()
	if !closed(r.rec.lines.done, r.stopBy) {
		drain.Parts = append(drain.Parts, "log")
	}
	if len(drain.Shards)+len(drain.Parts) == 0 {
		r.tasks.wait(r.stopBy)
		return r.failure
	}
	return errors.Join(r.failure, drain)
}
