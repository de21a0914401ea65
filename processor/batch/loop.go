package batch

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
)

// loop is the work on one shard: one Process. Its fields belong to the goroutine of
// Process, which decides everything and waits for nothing but its own events: reads,
// attempts and commits run on goroutines of their own, as far as user code and I/O go,
// and come back as events. Each is launched by launch, stopped by a context, and
// waited for by run.
type loop[T any] struct {
	o    Options[T] // complete
	src  Source[T]
	fn   func(context.Context, *Batch[T]) error
	s    *processor.Shard
	ctx  context.Context // of Process
	quit <-chan struct{} // closed: end like after a revocation; nil: never

	events    chan event[T] // has room for all that can be under way
	ackSignal ackSignal     // rung by handlers that acknowledge and go on
	running   int           // goroutines that have not sent theirs
	timer     *time.Timer

	reading      reading[T]
	lanes        []lane[T]
	trouble      error      // how the last attempt failed, until one goes well
	slots        []*slot[T] // of the lanes, that are taken
	yieldCheckAt time.Time  // when putBack looks again
	window       window
	commits      commits

	leaving  bool  // the shard has to go, or the loop was told to quit
	ctxEnded bool  // the context has ended
	stopped  error // an action stopped the work: nothing more is handled
	ended    bool  // nothing more comes
	gone     bool  // the shard does not exist any more
	end      error // what Process returns then

	progress processor.Progress
}

// event is what a goroutine comes back with; one of the fields is set.
type event[T any] struct {
	read        *readResult[T]
	attempt     *attempt[T]
	commit      *commitResult
	gapReported bool // see tellGone: nothing follows from it
}

func newLoop[T any](ctx context.Context, s *processor.Shard, src Source[T],
	fn func(context.Context, *Batch[T]) error, o Options[T]) *loop[T] {
	const others = 3 // at a time: a read, a commit, and the telling of a gap
	resume, _ := s.Resume()
	l := &loop[T]{
		o: o, src: src, fn: fn, s: s, ctx: ctx,
		events:    make(chan event[T], o.Concurrency+others),
		ackSignal: ackSignal{wake: make(chan struct{}, 1)},
		lanes:     newLanes[T](o),
		commits:   commits{done: resume},
		progress:  processor.Progress{Reading: resume},
	}
	l.reading = reading[T]{next: resume, pacer: pacer{min: o.MinPause, max: o.MaxPause}, lag: lagSample{lag: LagUnknown}}
	l.reading.ctx, l.reading.stop = context.WithCancel(ctx)
	return l
}

// run does the work and returns what Process returns.
func (l *loop[T]) run() error {
	l.timer = time.NewTimer(time.Hour)
	l.s.Begin(l.ctx, "").End() // from here on, nothing under way means idle
	defer l.close()
	for {
		now := time.Now()
		l.ackSignal.ignore(0) // what is acknowledged from here on is either seen or rings
		l.window.advance()
		l.startAttempts(now)
		l.startCommit(now)
		l.yieldMemory(now)
		l.startRead(now)
		l.reportProgress(now)
		if l.finished() {
			return l.result()
		}
		l.ackSignal.ignore(l.acksToIgnore())
		l.wait(now)
	}
}

// log returns the logger of lines that many shards may write at once.
func (l *loop[T]) log() *zap.Logger { return l.s.Logger().With(processor.Fold()) }

// contain is contain.Call for a call of user code or of the source, which may hang.
func (l *loop[T]) contain(ctx context.Context, where string, f func() error) error {
	defer l.s.Begin(ctx, where).End()
	return contain.Call(where, f)
}

// report shows how far the work is.
func (l *loop[T]) reportProgress(now time.Time) {
	p := &l.progress
	l.showLag(p, now)
	p.Buffered, p.Trouble = l.reading.held, l.trouble
	if p.Trouble == nil {
		p.Trouble = l.reading.trouble
	}
	l.s.ReportProgress(*p)
}

// launch runs work on a goroutine of its own, which ends with e as its event, even if
// user code ends it with runtime.Goexit. Owner: the loop. Stop: the contexts that the
// work uses. Waiter: run, and close.
func (l *loop[T]) launch(e event[T], work func()) {
	l.running++
	go func() {
		defer func() { l.events <- e }()
		work()
	}()
}

// wait waits for the next thing to happen, and deals with it.
func (l *loop[T]) wait(now time.Time) {
	revoked, quit, done := l.s.Revoked(), l.quit, l.ctx.Done()
	if l.leaving {
		revoked, quit = nil, nil
	}
	if l.ctxEnded {
		done = nil
	}
	var wake <-chan time.Time
	if at := l.wakeAt(now); !at.IsZero() {
		l.timer.Reset(at.Sub(now))
		wake = l.timer.C
	}
	select {
	case e := <-l.events:
		l.onEvent(time.Now(), e)
	case <-l.ackSignal.wake:
	case <-wake:
	case <-revoked:
		l.leave()
	case <-quit:
		l.leave()
	case <-done:
		l.leave()
		l.ctxEnded = true
	}
}

// happened deals with a goroutine that came back.
func (l *loop[T]) onEvent(now time.Time, e event[T]) {
	l.running--
	if !l.leaving && l.mustLeave() {
		l.leave() // first: what failed may have failed because of that
	}
	switch {
	case e.read != nil:
		l.onRead(now, e.read)
	case e.attempt != nil:
		l.onAttempt(now, e.attempt)
	case e.commit != nil:
		l.onCommit(now, e.commit)
	}
}

// mustGo reports whether the shard has to go, or the loop was told to quit.
func (l *loop[T]) mustLeave() bool {
	select {
	case <-l.s.Revoked():
	case <-l.quit:
	default:
		return false
	}
	return true
}

// leave begins the end: nothing more is read, and of what was read only what is being
// handled is finished.
func (l *loop[T]) leave() {
	if !l.closing() {
		l.commits.retryAtOnce()
	}
	if !l.leaving {
		l.reportGone()
	}
	l.leaving = true
	l.reading.stop()
}

// stop ends the work because of ActionHalt or ActionFatal.
func (l *loop[T]) stop(err error) {
	if !l.closing() {
		l.commits.retryAtOnce()
	}
	if l.stopped == nil {
		l.stopped = err
	}
	l.reading.stop()
}

// closing reports whether nothing more is to be begun.
func (l *loop[T]) closing() bool { return l.leaving || l.ctxEnded || l.stopped != nil }

// wakeAt returns when something is to be done, whatever happens before. Zero: never.
func (l *loop[T]) wakeAt(now time.Time) (at time.Time) {
	earlier := func(t time.Time) {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	if l.mayRead() {
		earlier(l.reading.notBefore)
	}
	if !l.closing() {
		for _, pl := range l.slots {
			if !pl.busy {
				earlier(pl.wakeAt())
				earlier(l.yieldCheckAt) // who else wants the memory
			}
		}
	}
	if r := &l.reading; r.lag.caughtUp && r.slowAt.After(now) {
		earlier(r.slowAt) // to show that
	}
	earlier(l.commitAt())
	return at
}

// finished reports whether there is nothing left to wait for.
func (l *loop[T]) finished() bool {
	switch {
	case l.running > 0:
		return false
	case l.ctxEnded:
		return true
	case l.commitAt() != time.Time{}:
		return false
	}
	return l.closing() || l.ended && l.window.empty()
}

// result is what Process returns.
func (l *loop[T]) result() error {
	switch {
	case l.stopped != nil:
		return l.stopped
	case l.ctxEnded:
		return context.Cause(l.ctx)
	case l.ended && l.window.empty() && (l.gone || l.commits.err == nil):
		return l.end
	}
	return l.commits.err
}

// close gives everything back. Mostly there is nothing to wait for any more, unless
// the source's own code panicked on the loop's goroutine.
func (l *loop[T]) close() {
	l.timer.Stop()
	l.reading.stop()
	for ; l.running > 0; l.running-- {
		if e := <-l.events; e.read != nil {
			l.releaseRead(e.read)
		}
	}
	for i := range l.lanes {
		for _, p := range l.lanes[i].queue {
			l.releasePart(p)
		}
	}
	for _, pl := range l.slots {
		for _, p := range pl.parts() {
			l.releasePart(p)
		}
	}
	if l.reading.reader != nil {
		l.closeReader(l.reading.reader)
	}
}

// schedule is pauses that grow, made when the first is needed.
type schedule struct {
	next func() time.Duration
}

func (s *schedule) pause(b processor.Backoff) time.Duration {
	if s.next == nil {
		s.next = b.Schedule()
	}
	return s.next()
}

func (s *schedule) reset() { s.next = nil }

func (s *schedule) begun() bool { return s.next != nil }
