package replicated

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/schedule"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
)

// mismatchError reports that a field of the Config differs from the group's, although both must be
// equal.
type mismatchError struct {
	Field       string // of Config
	Ours, Group any
}

func (e *mismatchError) Error() string {
	return fmt.Sprintf("the field %s of the Config is %v, and the group was created with %v", e.Field, e.Ours, e.Group)
}

// Retryable returns false: a later heartbeat does not succeed either.
func (e *mismatchError) Retryable() bool { return false }

// errNoInstance is the result of a heartbeat without an instance: fencing
// needs to tell the runs of a member apart.
var errNoInstance error = finalError("a heartbeat needs an instance")

// finalError is an error after which a retry does not help.
type finalError string

func (e finalError) Error() string   { return string(e) }
func (e finalError) Retryable() bool { return false }

// Beat writes the heartbeat into the member's record, and answers from the newest document that
// this process knows. That document may be outdated, but it grants no shard that another member
// owns: a member loses a shard only by its own record, or when it expires.
//
// If the group never existed, the first heartbeat creates it with the shards of the Config. If the
// group has no shards, the first heartbeat sets those of the Config. Errors to match are
// heartbeat.ErrEvicted, ErrStaleHeartbeat, ErrReplaced, and ErrGroupNotFound. The last means that
// the group was deleted, or that it never existed and the Config has no shards. heartbeat.Retryable
// reports false if the Config does not agree with the group, and if a newer version of this package
// wrote the document.
func (c *Client) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	if err := check(r); err != nil {
		return shardset.Answer{}, err
	}
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return shardset.Answer{}, err
	}
	defer done()
	b := &beat{c: c, Heartbeat: r}
	defer b.leaveLane()
	if err := b.prepare(ctx); err != nil {
		return shardset.Answer{}, err
	}
	if b.revision, err = c.writeRecord(ctx, b.write); err != nil {
		return shardset.Answer{}, err
	}
	if b.record = b.write.Known; b.record == nil {
		b.record, _ = decodeRecord(r.Member, Value{Data: b.write.Data}) // the owner has made it
	}
	if err := c.report(b.written); err != nil {
		return shardset.Answer{}, err
	}
	return b.answer, b.err
}

func check(r shardset.Heartbeat) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if r.Instance == 0 {
		return errNoInstance
	}
	return nil
}

// beat is one call of Beat. The owner sets the fields while it serves the call.
type beat struct {
	c *Client
	shardset.Heartbeat

	inLane   bool // the call has its member's lane
	admitted bool
	write    schedule.RecordWrite
	revision uint64
	record   *state.Record
	answer   shardset.Answer
	err      error // from the Scheduler
}

// prepare admits the heartbeat, enters the member's lane and makes the record. It visits the
// owner once, unless this process has not joined the group or the lane is taken.
func (b *beat) prepare(ctx context.Context) error {
	b.inLane = b.c.writes.tryEnter(b.Member)
	if err := b.c.ask(b.tryAdmit); err != nil {
		return err
	}
	if !b.admitted {
		b.leaveLane() // to join the group may take long
		if err := b.c.join(ctx); err != nil {
			return err
		}
		if err := b.c.ask(b.admit); err != nil {
			return err
		}
	}
	if b.err != nil || b.inLane {
		return b.err
	}
	if err := b.c.writes.enter(ctx, b.Member); err != nil {
		return err
	}
	b.inLane = true
	if err := b.c.ask(b.makeRecord); err != nil {
		return err
	}
	return b.err
}

// tryAdmit is admit, in a process that has joined the group.
func (b *beat) tryAdmit(o *owner, now time.Time) {
	if known, deleted := o.Known(); known && !deleted && b.c.joined.Load() && o.Ordered() == b.c.cfg.Ordered {
		b.admit(o, now)
	}
}

func (b *beat) admit(o *owner, now time.Time) {
	b.admitted = true
	if b.err = o.Admit(now, b.Heartbeat); b.err == nil && b.inLane {
		b.makeRecord(o, now)
	}
}

func (b *beat) makeRecord(o *owner, _ time.Time) {
	b.write, b.err = o.Prepare(b.Heartbeat, state.StandingAlive)
}

func (b *beat) written(o *owner, now time.Time) {
	b.answer, b.err = o.RecordWritten(now, b.write, b.revision, b.record)
}

func (b *beat) leaveLane() {
	if b.inLane {
		b.c.writes.leave(b.Member)
		b.inLane = false
	}
}

// maxTries is how often a conflicting swap of a member's own key is tried again. The conflict may
// come from an earlier try that returned an error, although the store had executed it.
const maxTries = 4

// writeRecord writes a member's record over its last one, and returns the new revision. It returns
// heartbeat.ErrEvicted if the instance has ended or the store has lost its record, and a
// ReplacedError if a later instance has replaced it.
func (c *Client) writeRecord(ctx context.Context, w schedule.RecordWrite) (uint64, error) {
	revision, err := c.swapRecord(ctx, w)
	if err != nil {
		_ = c.ask(func(o *owner, _ time.Time) { o.RecordNotWritten(w) })
	}
	return revision, err
}

func (c *Client) swapRecord(ctx context.Context, w schedule.RecordWrite) (uint64, error) {
	// The first record of a member is written without a read before it: a thousand members that
	// join at once would wait for the reads. If there is a record already, the write conflicts.
	key := recordKey(w.Name)
	revision, err := uint64(0), error(nil)
	if c.clock != nil && w.Quiet {
		revision, err = c.clock.SwapQuietly(ctx, key, w.Over, w.Data)
	} else {
		revision, err = c.store.Swap(ctx, key, w.Over, w.Data)
	}
	for try := 1; isConflict(err) && try <= maxTries; try++ {
		c.pace(ctx, try)
		if w.Over, err = c.findRecord(ctx, w); err != nil {
			return 0, err
		}
		revision, err = c.store.Swap(ctx, key, w.Over, w.Data)
	}
	if err != nil {
		return 0, recordError(w.Name, err)
	}
	return revision, nil
}

func recordError(member string, err error) error { return fmt.Errorf("record of %q: %w", member, err) }

// findRecord reads the record that made a write conflict. It returns its revision if the write may
// replace it.
func (c *Client) findRecord(ctx context.Context, w schedule.RecordWrite) (over uint64, err error) {
	var seen uint64
	if err := c.ask(func(o *owner, _ time.Time) { seen = o.RecordRevision(w.Name, w.Instance) }); err != nil {
		return 0, err
	}
	v, err := c.read(ctx, recordKey(w.Name), seen)
	if err != nil {
		return 0, recordError(w.Name, err)
	}
	rec, unreadable := decodeRecord(w.Name, v)
	visitErr := c.ask(func(o *owner, _ time.Time) { over, err = o.RecordFound(w, v.Revision, rec, unreadable) })
	if visitErr != nil {
		return 0, visitErr
	}
	return over, err
}

// leaveWait is how long Leave waits for this process to remove the member from the document.
// Without the wait, this process might end before, and the next process in rank would do it later.
const leaveWait = 250 * time.Millisecond

// Leave writes into the member's record that it has left. Shards that r does not list as held are
// free. The instance must send no more heartbeats. After the write, Leave waits up to 250 ms until
// the member is no longer in the document.
func (c *Client) Leave(ctx context.Context, r shardset.Heartbeat) error {
	if err := check(r); err != nil {
		return err
	}
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	// A member leaves a deleted group, too: the group that is created next waits for that.
	if err := c.ensure(ctx); err != nil && !(errors.Is(err, heartbeat.ErrGroupNotFound) && c.recordRevision(r) != 0) {
		return err
	}
	if visitErr := c.ask(func(o *owner, now time.Time) { err = o.AdmitLeave(now, r) }); visitErr != nil {
		return visitErr
	}
	if err == nil {
		err = c.leave(ctx, r)
	}
	if errors.Is(err, heartbeat.ErrEvicted) {
		return nil // it has left before, or has expired
	}
	return err
}

func (c *Client) recordRevision(r shardset.Heartbeat) (revision uint64) {
	_ = c.ask(func(o *owner, _ time.Time) { revision = o.RecordRevision(r.Member, r.Instance) })
	return revision
}

// leave writes the last record of an instance.
func (c *Client) leave(ctx context.Context, r shardset.Heartbeat) (err error) {
	if err := c.writes.enter(ctx, r.Member); err != nil {
		return err
	}
	defer c.writes.leave(r.Member)
	if c.recordRevision(r) == 0 {
		if v, err := c.store.Get(ctx, recordKey(r.Member)); err != nil || v.Data == nil {
			return err // there is nothing to leave
		}
	}
	var w schedule.RecordWrite
	if visitErr := c.ask(func(o *owner, _ time.Time) { w, err = o.Prepare(r, state.StandingLeft) }); visitErr != nil {
		return visitErr
	}
	if err != nil {
		return err
	}
	revision, err := c.writeRecord(ctx, w)
	if err != nil {
		return err
	}
	rec, _ := decodeRecord(r.Member, Value{Data: w.Data})
	if err := c.report(func(o *owner, now time.Time) { o.LeaveWritten(now, w, revision, rec) }); err != nil {
		return err
	}
	if len(r.Held) == 0 {
		c.awaitStep(ctx, r)
	}
	return nil
}

// awaitStep waits until the instance is no longer in the document, if this process watches the
// records and so may have to make that step.
func (c *Client) awaitStep(ctx context.Context, r shardset.Heartbeat) {
	ctx, cancel := context.WithTimeout(ctx, leaveWait)
	defer cancel()
	for {
		var waits bool
		var changed chan struct{}
		err := c.ask(func(o *owner, _ time.Time) {
			waits, changed = o.Member(r.Member, r.Instance) && o.Watching(), o.changed
		})
		if err != nil || !waits {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
