package batch

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/internal/contain"
)

// loop reads, handles and commits one shard during one call of Process. Its fields belong to the
// goroutine of Process, which decides what is read, handled and committed. Each call of user code or
// I/O runs on a goroutine of its own, and its result comes back as an event. The goroutine of a failed
// attempt also chooses the action, because OnError is user code.
type loop[T any] struct {
	o    Options[T] // with defaults
	src  Source[T]
	fn   func(context.Context, *Batch[T]) error
	s    *processor.Shard
	ctx  context.Context // of Process
	quit <-chan struct{} // when closed, the loop drains as if revoked; nil: never

	events    chan event[T] // has room for all running goroutines
	running   int           // goroutines whose event was not received yet
	ackSignal ackSignal
	timer     *time.Timer

	reading      reading[T]
	lanes        []lane[T]
	slots        []*slot[T] // of all lanes; only those in use
	trouble      error      // of the last attempt that failed; nil after one succeeds
	yieldCheckAt time.Time  // when yieldMemory checks again
	window       window
	commits      commits
	progress     processor.Progress

	draining    bool  // the shard is revoked, or the loop has to quit
	ctxEnded    bool  // the context has ended
	stopped     error // set by ActionHalt or ActionFatal: no more batch may begin
	noMoreReads bool  // there is nothing more to read
	endErr      error // with noMoreReads: the result of Process
	gone        bool  // the shard does not exist any more
}

// event is one call on a goroutine of its own, and its result. One field is set.
type event[T any] struct {
	read    *readResult[T]
	attempt *attempt[T]
	commit  *commitResult
	lastGap *processor.Gap
}

func newLoop[T any](ctx context.Context, s *processor.Shard, src Source[T],
	fn func(context.Context, *Batch[T]) error, o Options[T]) *loop[T] {
	const others = 3 // besides the attempts: a read, a commit and runLastGap
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

// run runs the loop and returns the result of Process.
func (l *loop[T]) run() error {
	l.timer = time.NewTimer(time.Hour)
	l.s.Begin(l.ctx, "").End() // from here on, only an activity can be reported as stuck
	defer l.close()
	for {
		now := time.Now()
		l.ackSignal.ignore(0) // from here on, each acknowledgement wakes the loop, unless advance counts it
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

// launch starts the call of e. Its goroutine always sends the event, even if user code calls
// runtime.Goexit. Owner: the loop. Stop: the contexts that the call uses. Waiter: run, or close.
func (l *loop[T]) launch(e event[T]) {
	l.running++
	go func() {
		defer func() { l.events <- e }()
		switch {
		case e.read != nil:
			e.read.err = l.runRead(e.read)
		case e.attempt != nil:
			l.runAttempt(e.attempt)
		case e.commit != nil:
			e.commit.err = l.runCommit(e.commit)
		case e.lastGap != nil:
			l.runLastGap(*e.lastGap)
		}
	}()
}

// wait waits for the next event, and acts on it.
func (l *loop[T]) wait(now time.Time) {
	revoked, quit, done := l.s.Revoked(), l.quit, l.ctx.Done()
	if l.draining {
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
		l.startDrain()
	case <-quit:
		l.startDrain()
	case <-done:
		l.startDrain()
		l.ctxEnded = true
	}
}

// wakeAt returns when the loop has to wake even without an event. Zero means never.
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
		for _, s := range l.slots {
			if !s.busy {
				earlier(s.wakeAt())
				earlier(l.yieldCheckAt)
			}
		}
	}
	if r := &l.reading; r.lag.caughtUp && r.slowAt.After(now) {
		earlier(r.slowAt) // CaughtUp becomes false then
	}
	earlier(l.commitAt())
	return at
}

func (l *loop[T]) onEvent(now time.Time, e event[T]) {
	l.running--
	if !l.draining && l.mustDrain() {
		l.startDrain() // before the event: the revocation may be the reason for its failure
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

// call calls user code or the source. It turns a panic into an error, and reports the call as an
// activity, so that a call that hangs is visible.
func (l *loop[T]) call(ctx context.Context, where string, f func() error) error {
	defer l.s.Begin(ctx, where).End()
	return contain.Call(where, f)
}

// log returns a logger that folds equal lines: many shards may fail for the same reason.
func (l *loop[T]) log() *zap.Logger { return l.s.Logger().With(processor.Fold()) }

func (l *loop[T]) reportProgress(now time.Time) {
	p := &l.progress
	l.showLag(p, now)
	p.Buffered, p.Trouble = l.reading.buffered, l.trouble
	if p.Trouble == nil {
		p.Trouble = l.reading.trouble
	}
	l.s.ReportProgress(*p)
}
