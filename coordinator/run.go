package coordinator

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// Within drainBound after its drain timeout Run returns. The Tracker's own grace for
// cancelled processors is the first half of it; the rest is for the last call to the
// service, the last hooks, and a busy machine.
const drainBound = 85 * time.Millisecond

// errLoopEnded is why Run ends when its heartbeat did without a reason, which is what a
// Client can do with runtime.Goexit.
var errLoopEnded = errors.New("the group's client ended the heartbeat's goroutine")

// run is one Run. Fields without a remark are set before anything starts. The
// goroutine that runs own is the owner: it alone touches what is marked as its own,
// and it never waits for anything but its own channels.
type run struct {
	cfg    Config
	info   heartbeat.Info
	runner *runner.Runner
	loop   *heartbeat.Loop
	tasks  tasks
	rec    *recorder

	calls chan func()     // jobs for the owner
	over  chan struct{}   // closed when the owner has ended
	final Status          // the owner's last, set before over is closed
	ctx   context.Context // of the heartbeat: outlives Run's, ends after the drain
	base  context.Context // gives its values to the processors' contexts

	// The owner's.
	tracker    *shardset.Tracker
	term       *runner.Term // the lease that all shards share; nil: none
	runs       map[shardset.ID]*runner.Run
	stuck      map[shardset.ID]bool
	stalled    map[shardset.ID]time.Time // since when: told as without progress
	timer      *time.Timer
	sentAt     time.Time // of the newest heartbeat
	lastBeat   time.Time // of the newest answered one
	interval   time.Duration
	guarantees heartbeat.Guarantees // as the newest answer left them
	beatErrors int
	lastErr    error
	failure    error     // why Run ends, if not because its context did
	stopBy     time.Time // when Run has to return; zero: not leaving
	left       bool
	told       State     // the state that the hook was told
	joined     bool      // ever
	granted    bool      // a shard, ever
	waitSayAt  time.Time // when to say again what a finite run without a shard waits for
}

func newRun(cfg Config, info heartbeat.Info) *run {
	r := &run{
		cfg:   cfg,
		info:  info,
		calls: make(chan func()),
		over:  make(chan struct{}),
		runs:  map[shardset.ID]*runner.Run{},
		stuck: map[shardset.ID]bool{},

		stalled: map[shardset.ID]time.Time{},

		interval: cfg.Interval, guarantees: info.Guarantees,
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
		Observer:      r.rec.observer(),
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
		Fast:         cfg.FastInterval, // even if the service pushes: a push can break in silence
		Grid:         !r.info.Guarantees.Push,
		DrainTimeout: cfg.DrainTimeout,
		StuckAfter:   cfg.StuckAfter,
		RestartPause: cfg.Interval,
		CanLeave:     r.canLeave(),
		Finite:       cfg.Finite,
		Completion:   r.info.Guarantees.Finish,
	})
	r.loop = heartbeat.NewLoop(heartbeat.LoopConfig{
		Client: cfg.Group, Member: (*member)(r), Name: cfg.Member,
		Interval: cfg.Interval, TryTimeout: cfg.TryTimeout,
	})
	return r
}

// newInstance numbers this run of the member: by time, so that a later process has a
// larger number, and by chance, so that no two processes share one even if a store
// forgot which were there.
func newInstance() uint64 {
	const random = 20 // bits; shardset.Tracker keeps as many when it jumps past another instance
	return uint64(time.Now().UnixMilli())<<random | rand.Uint64N(1<<random)
}

func (r *run) canLeave() bool {
	_, ok := r.cfg.Group.(heartbeat.Leaver)
	return ok
}

// run does what Run promises.
func (r *run) run(ctx context.Context) error {
	r.base = context.WithoutCancel(ctx)
	beating, stopBeating := context.WithCancel(r.base)
	defer stopBeating()
	r.ctx = beating
	r.timer = time.NewTimer(0)
	defer r.timer.Stop()

	r.tasks.launch(func() { r.rec.calls.work(r.tasks.launch) })
	r.tasks.launch(func() { r.rec.lines.work(r.tasks.launch) })
	r.rec.joining(r.tracker.Instance(), r.info.Guarantees)
	beats := r.tasks.watch(func() {
		r.loop.Run(beating)
		r.do(func() { r.fail(errLoopEnded) }) // unless it is known why
	})

	r.own(ctx)
	stopBeating()
	drain := &DrainError{Timeout: r.cfg.DrainTimeout}
	for _, s := range r.tracker.Shards() {
		drain.Shards = append(drain.Shards, s.ID)
	}
	// Each part may take a share of what is left, so that a deaf one leaves time to
	// the others and is the only one named.
	if !closed(beats, r.share(3)) {
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

// own is the owner's loop. It ends when the member has left: every processor has
// returned, or the drain is over and the rest is deaf.
func (r *run) own(ctx context.Context) {
	defer close(r.over)
	defer func() { r.final = r.status(StateLeaving) }()
	done := ctx.Done()
	for !r.left {
		select {
		case job := <-r.calls:
			job()
		case <-r.timer.C:
			now := time.Now()
			r.applyPlan(now, r.tracker.Tick(now))
		case <-done:
			done = nil
			r.leave()
		}
	}
}

// do has the owner run a job and waits for it. It returns false if there is no owner
// any more. Everything that is not the owner comes through here.
func (r *run) do(job func()) bool {
	finished := make(chan struct{})
	select {
	case r.calls <- func() { job(); close(finished) }:
		<-finished
		return true
	case <-r.over:
		return false
	}
}

// leave begins the end: drain everything, take nothing new.
func (r *run) leave() {
	if !r.stopBy.IsZero() {
		return
	}
	now := time.Now()
	r.stopBy = now.Add(r.cfg.DrainTimeout + drainBound)
	r.rec.leaving(r.joined, r.failure, len(r.runs))
	r.applyPlan(now, r.tracker.Leave(now))
}

// fail makes Run end with err. The first reason stays.
func (r *run) fail(err error) {
	if r.failure == nil && r.stopBy.IsZero() {
		r.failure = err
	}
	r.leave()
}

// leaveGroup makes the leave call, where there is one to make and anybody to hear
// it, and reports whether it came back in time. The owner has ended, so the Tracker
// is the caller's.
func (r *run) leaveGroup() bool {
	leaver, ok := r.cfg.Group.(heartbeat.Leaver)
	if !ok || errors.Is(r.failure, heartbeat.ErrReplaced) || errors.Is(r.failure, heartbeat.ErrGroupNotFound) {
		return true
	}
	request := r.request(time.Now())
	end := time.Now().Add(r.cfg.TryTimeout)
	if share := r.share(3); share.Before(end) {
		end = share
	}
	ctx, cancel := context.WithDeadline(r.base, end)
	defer cancel()
	var err error
	called := r.tasks.watch(func() { err = r.sayLeave(ctx, leaver, request) })
	if !closed(called, r.share(2)) {
		return false
	}
	if err != nil {
		r.rec.leaveFailed(err)
	}
	return true
}

// sayLeave calls Leave until it works, as long as one heartbeat may take: a service that
// fails at once, because it is electing somebody for instance, may be back in a moment,
// and otherwise the others wait for the lease. Each try is a word of its own to the
// service, which may have heard the one before. A service that wants to be left alone for
// longer than that is.
func (r *run) sayLeave(ctx context.Context, leaver heartbeat.Leaver, request shardset.Heartbeat) error {
	pauses := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(max(r.cfg.Interval/100, time.Millisecond)),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0),
	)
	for {
		err := leaver.Leave(ctx, request)
		if err == nil || errors.Is(err, heartbeat.ErrEvicted) || !heartbeat.Retryable(err) {
			return err
		}
		request.Seq++
		pause := max(pauses.NextBackOff(), heartbeat.RetryAfter(err))
		if end, ok := ctx.Deadline(); ok && time.Until(end) <= pause {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return err
		}
	}
}

// share returns the end of one nth of the time until Run has to return.
func (r *run) share(n int) time.Time {
	return time.Now().Add(time.Until(r.stopBy) / time.Duration(n))
}

func (r *run) request(now time.Time) shardset.Heartbeat {
	r.sentAt = now
	return r.tracker.Beat(now)
}
