package replicated

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/schedule"
)

// owner is the one goroutine that uses the Scheduler. Other goroutines send it visits: calls, and
// results of I/O. It does no I/O itself, and waits only for visits and for the time of the next
// plan.
type owner struct {
	*schedule.Scheduler
	c *Client

	changed  chan struct{}                         // closed and replaced with each document
	watchers map[string]map[chan struct{}]struct{} // what Watch has returned, by member

	// These end the running watches. Nil means that the watch does not run.
	endDocumentWatch, endRecordWatch context.CancelFunc

	notices []schedule.Notice // for the log
	logging bool              // a task writes earlier ones
}

// visit is a function that the owner calls for another goroutine.
type visit struct {
	do    func(o *owner, now time.Time)
	event bool          // the owner makes a plan after it
	done  chan struct{} // has a value when do has returned
}

// maxVisits is how many waiting visits the owner takes before it makes a plan. One plan for all of
// them is cheaper, because a plan may compute a step, which takes longer than the visits.
const maxVisits = 256

func newOwner(c *Client) *owner {
	return &owner{
		Scheduler: schedule.New(schedule.Config{
			Group: c.cfg.Group, TTL: c.cfg.TTL, RecordClock: c.clock != nil,
			Random: rand.Int64N,
		}),
		c: c, changed: make(chan struct{}), watchers: map[string]map[chan struct{}]struct{}{},
	}
}

// report has the owner call do, which passes an event to the Scheduler. The owner then makes a plan
// and executes it. report returns when do has returned, or errClosed if the Client was closed
// before.
func (c *Client) report(do func(o *owner, now time.Time)) error { return c.visit(do, true) }

// ask is report without a plan. It is for calls that do not change what a plan contains.
func (c *Client) ask(do func(o *owner, now time.Time)) error { return c.visit(do, false) }

func (c *Client) visit(do func(o *owner, now time.Time), event bool) error {
	v, ok := c.spare.Get().(*visit)
	if !ok {
		v = &visit{done: make(chan struct{}, 1)}
	}
	v.do, v.event = do, event
	defer func() { v.do = nil; c.spare.Put(v) }()
	select {
	case c.visits <- v:
		<-v.done // do does not wait
		return nil
	case <-c.ctx.Done():
		return errClosed
	}
}

func (o *owner) run(ctx context.Context) {
	defer o.closeWatchers()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for wakeAt := (time.Time{}); ; {
		event := true
		select {
		case v := <-o.c.visits:
			event = o.take(v)
		case <-timer.C:
			wakeAt = time.Time{}
		case <-ctx.Done():
			return
		}
		if !event {
			continue
		}
		o.takeWaiting()
		p := o.Plan(time.Now())
		o.execute(p)
		if !p.WakeAt.Equal(wakeAt) {
			wakeAt = p.WakeAt
			timer.Stop()
			if !wakeAt.IsZero() {
				timer.Reset(time.Until(wakeAt))
			}
		}
	}
}

// take calls the function of a visit. The goroutine that sent the visit does not wait for the plan.
func (o *owner) take(v *visit) (event bool) {
	event = v.event
	v.do(o, time.Now())
	o.c.newest.Store(o.Revision())
	v.done <- struct{}{}
	return event
}

// takeWaiting takes the visits that wait, up to maxVisits.
func (o *owner) takeWaiting() {
	for range maxVisits {
		select {
		case v := <-o.c.visits:
			o.take(v)
		default:
			return
		}
	}
}

// execute starts all that a plan asks for.
func (o *owner) execute(p schedule.Plan) {
	o.setWatch(&o.endDocumentWatch, p.WatchDocument, (*Client).watchDocument)
	o.setWatch(&o.endRecordWatch, p.WatchRecords, (*Client).watchRecords)
	if p.ReadDocument {
		o.start(p.Timeout, (*Client).keepUp)
	}
	if w := p.WriteDocument; w != nil {
		o.start(p.Timeout, func(c *Client, ctx context.Context) { c.step(ctx, *w) })
	}
	if list := p.Expire; len(list) > 0 {
		o.start(p.Timeout, func(c *Client, ctx context.Context) { c.writeTombstones(ctx, list) })
	}
	if list := p.Probe; len(list) > 0 {
		o.start(p.Timeout, func(c *Client, ctx context.Context) { c.probeRecords(ctx, list) })
	}
	if age := p.AskClock; age > 0 {
		o.start(p.Timeout, func(c *Client, ctx context.Context) { c.askClock(ctx, age) })
	}
	if list := p.Delete; len(list) > 0 {
		o.start(p.Timeout, func(c *Client, ctx context.Context) { c.deleteRecords(ctx, list) })
	}
	for _, member := range p.Wake {
		o.wakeWatchers(member)
	}
	if p.DocumentChanged {
		close(o.changed)
		o.changed = make(chan struct{})
	}
	o.notices = append(o.notices, p.Notices...)
	o.logNotices()
}

// start launches a task whose context ends after timeout.
func (o *owner) start(timeout time.Duration, task func(c *Client, ctx context.Context)) {
	o.c.launch(func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		task(o.c, ctx)
	})
}

// setWatch starts or ends a watch. The watch itself reports its end.
func (o *owner) setWatch(end *context.CancelFunc, run bool, watch func(c *Client, ctx context.Context)) {
	switch {
	case run && *end == nil:
		ctx, cancel := context.WithCancel(o.c.ctx)
		*end = cancel
		o.c.launch(func(context.Context) { watch(o.c, ctx) })
	case !run && *end != nil:
		(*end)()
	}
}

// logNotices launches a task that writes the notices to the log, in their order. The owner does not
// write them itself, because a logger may block.
func (o *owner) logNotices() {
	if o.logging || len(o.notices) == 0 {
		return
	}
	batch := o.notices
	o.logging, o.notices = true, nil
	o.c.launch(func(context.Context) {
		for _, n := range batch {
			o.c.notice(n)
		}
		_ = o.c.report(func(o *owner, _ time.Time) {
			o.logging = false
			o.logNotices()
		})
	})
}
