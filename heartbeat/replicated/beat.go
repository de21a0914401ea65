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

// MismatchError says that this process and the group do not agree on what the group is.
// No repetition mends it.
type MismatchError struct {
	Field       string // of Config
	Ours, Group any
}

func (e *MismatchError) Error() string {
	return fmt.Sprintf("the field %s is %v, and the group was made with %v", e.Field, e.Ours, e.Group)
}

// Retryable returns false: it ends the worker.
func (e *MismatchError) Retryable() bool { return false }

// errNoInstance is the result of a heartbeat of a member that does not tell its runs
// apart: fencing rests on that.
var errNoInstance error = finalError("a heartbeat needs an instance")

// finalError is an error that no repetition mends.
type finalError string

func (e finalError) Error() string   { return string(e) }
func (e finalError) Retryable() bool { return false }

// Beat writes what the member says into its record, and answers from the newest
// document that this process knows. The answer may lag behind: a document that is not
// the newest grants nothing that is somebody else's, because only the member itself,
// by a record, or its silence ends what it owns.
//
// A group that never was is made with the shards of the Config, and one without shards
// takes them. The errors are heartbeat.ErrEvicted, ErrStaleHeartbeat, ErrReplaced,
// ErrGroupNotFound for a group that was deleted, or that never was while the Config has no
// shards either, *MismatchError, whatever the Store says, which may pass, that the
// document is damaged, and ErrNewer if it is of a newer version of this package.
func (c *Client) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	if err := check(r); err != nil {
		return shardset.Answer{}, err
	}
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return shardset.Answer{}, err
	}
	defer done()
	if err := c.admit(ctx, r); err != nil {
		return shardset.Answer{}, err
	}
	leave, err := c.writes.enter(ctx, r.Member)
	if err != nil {
		return shardset.Answer{}, err
	}
	defer leave()
	w, err := c.prepare(r, state.StandingAlive)
	if err != nil {
		return shardset.Answer{}, err
	}
	revision, err := c.writeRecord(ctx, w)
	if err != nil {
		return shardset.Answer{}, err
	}
	rec, _ := decodeRecord(r.Member, Value{Data: w.Data}) // it is well formed: we made it
	var a shardset.Answer
	if visitErr := c.tell(func(o *owner, now time.Time) { a, err = o.RecordWritten(now, w, revision, rec) }); visitErr != nil {
		return shardset.Answer{}, visitErr
	}
	return a, err
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

// admit has the scheduler admit a heartbeat, once this process knows the group.
func (c *Client) admit(ctx context.Context, r shardset.Heartbeat) (err error) {
	admitted := false
	visitErr := c.ask(func(o *owner, now time.Time) {
		if known, deleted := o.Known(); known && !deleted && c.joined.Load() && o.Ordered() == c.cfg.Ordered {
			admitted, err = true, o.Admit(now, r)
		}
	})
	if visitErr != nil || admitted {
		return errors.Join(visitErr, err)
	}
	if err := c.join(ctx); err != nil {
		return err
	}
	if visitErr := c.ask(func(o *owner, now time.Time) { err = o.Admit(now, r) }); visitErr != nil {
		return visitErr
	}
	return err
}

func (c *Client) prepare(r shardset.Heartbeat, standing state.Standing) (w schedule.RecordWrite, err error) {
	if visitErr := c.ask(func(o *owner, _ time.Time) { w, err = o.Prepare(r, standing) }); visitErr != nil {
		return w, visitErr
	}
	return w, err
}

// maxTries is how often a swap of what is one's own is tried again that met another
// version: an earlier try of one's own which had seemed to fail.
const maxTries = 4

// writeRecord puts a member's record into the store, over what it wrote last, and returns its
// revision. It returns heartbeat.ErrEvicted if the record was taken from the instance, and a
// ReplacedError if a later instance did that.
func (c *Client) writeRecord(ctx context.Context, w schedule.RecordWrite) (revision uint64, err error) {
	defer func() {
		if err != nil {
			_ = c.ask(func(o *owner, _ time.Time) { o.RecordNotWritten(w) })
		}
	}()
	// A member that is new has no record: its first one is written without a look, which a
	// thousand that join at once would wait for. Where there is one, the write conflicts.
	swap := c.store.Swap
	if c.clock != nil && w.Quiet {
		swap = c.clock.SwapQuietly
	}
	for try := 0; ; try++ {
		c.pace(ctx, try)
		if try > 0 {
			swap = c.store.Swap
			if w.Over, err = c.findRecord(ctx, w); err != nil {
				return 0, err
			}
		}
		revision, err := swap(ctx, recordKey(w.Name), w.Over, w.Data)
		if err == nil {
			return revision, nil
		}
		if !isConflict(err) || try >= maxTries {
			return 0, recordError(w.Name, err)
		}
	}
}

func recordError(member string, err error) error { return fmt.Errorf("record of %q: %w", member, err) }

// findRecord reads what is in the place of a record, and returns its revision if it may be
// written over.
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

// leaveWait is how long a leaving process that may have to remove itself from the
// document waits until that is done: whose turn is next would wait longer.
const leaveWait = 250 * time.Millisecond

// Leave puts the member's last word into its record: it is gone, and what it does not
// list is free. The instance must not beat any more. It may take a quarter of a second
// longer than the store does, until somebody has taken that up.
func (c *Client) Leave(ctx context.Context, r shardset.Heartbeat) error {
	if err := check(r); err != nil {
		return err
	}
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := c.ensure(ctx); err != nil && !(errors.Is(err, heartbeat.ErrGroupNotFound) && c.recordRevision(r) != 0) {
		return err // a record is worth a last word also in a deleted group: the next one waits for that
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
func (c *Client) leave(ctx context.Context, r shardset.Heartbeat) error {
	done, err := c.writes.enter(ctx, r.Member)
	if err != nil {
		return err
	}
	defer done()
	if c.recordRevision(r) == 0 {
		if v, err := c.store.Get(ctx, recordKey(r.Member)); err != nil || v.Data == nil {
			return err // there is nothing to leave
		}
	}
	w, err := c.prepare(r, state.StandingLeft)
	if err != nil {
		return err
	}
	revision, err := c.writeRecord(ctx, w)
	if err != nil {
		return err
	}
	rec, _ := decodeRecord(r.Member, Value{Data: w.Data})
	if err := c.tell(func(o *owner, now time.Time) { o.LeaveWritten(now, w, revision, rec) }); err != nil {
		return err
	}
	if len(r.Held) == 0 {
		c.awaitStep(ctx, r)
	}
	return nil
}

// awaitStep waits until the document does not have the instance any more, if this process may
// be the one that has to write that.
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
