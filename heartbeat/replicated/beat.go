package replicated

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
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
	if err := r.Validate(); err != nil {
		return shardset.Answer{}, err
	}
	if r.Instance == 0 {
		return shardset.Answer{}, errNoInstance
	}
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return shardset.Answer{}, err
	}
	defer done()
	if err := c.join(ctx); err != nil {
		return shardset.Answer{}, err
	}
	l, err := c.admit(r)
	if err != nil {
		return shardset.Answer{}, err
	}
	if err := l.acquire(ctx); err != nil {
		return shardset.Answer{}, err
	}
	defer l.letGo()
	if err := c.overtaken(l, r); err != nil {
		return shardset.Answer{}, err
	}
	rec, ttl := c.prepare(l, r, state.StandingAlive)
	if err := c.write(ctx, l, rec); err != nil {
		return shardset.Answer{}, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.over || c.outdated(l) { // the group was forgotten, or made anew, meanwhile
		return shardset.Answer{}, heartbeat.ErrEvicted
	}
	c.noteReleased(l, rec) // by the document of now, which answers
	if c.replica.TTL() == 0 {
		return shardset.Answer{}, errors.New("the group's document went away during the heartbeat")
	}
	return c.answer(l, ttl), nil
}

// admit finds the local that speaks, or says why it is not heard.
func (c *Client) admit(r shardset.Heartbeat) (*local, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault != nil {
		// What it has been granted or has to give up is written there. Without heartbeats
		// it gives up everything in time.
		return nil, c.fault
	}
	if c.tooOld() {
		// It could answer, but change nothing for its members. None of the group's is so old.
		return nil, c.documentError(state.ErrNewer)
	}
	l, err := c.enter(r)
	if err != nil {
		return nil, err
	}
	if c.outdated(l) || len(r.Held) > 0 && c.replica.Instance(r.Member) == 0 {
		// The group does not know the member, or no more: it holds nothing.
		return nil, heartbeat.ErrEvicted
	}
	if c.replica.Members() >= state.MaxMembers && c.replica.Instance(r.Member) == 0 {
		return nil, fmt.Errorf("the group has %d members, and takes no more", c.replica.Members())
	}
	return l, nil
}

// prepare makes the record, and notes what it gives up. That counts from now on, and
// not only when the record is known to be in the store; and until it is taken, no later
// record says otherwise: nobody may have seen this one. The TTL is that of the document which
// the record knows of: see answer.
func (c *Client) prepare(l *local, r shardset.Heartbeat, s state.Standing) (rec *state.Record, ttl time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropTaken(l)
	if slices.ContainsFunc(r.Held, l.gaveUp) {
		r.Held = slices.DeleteFunc(slices.Clone(r.Held), l.gaveUp)
	}
	rec = &state.Record{Standing: s, Born: l.born, Heartbeat: r}
	c.noteReleased(l, rec)
	return rec, c.replica.TTL()
}

// noteReleased notes what a record gives up by the newest document. The caller holds mu.
func (c *Client) noteReleased(l *local, rec *state.Record) {
	for _, g := range c.replica.Released(l.name, l.instance, rec.Held, rec.Generation) {
		l.released[g.ID] = max(g.Epoch, l.released[g.ID])
	}
}

// overtaken says why a call has nothing to write any more that has waited for another one
// of its member.
func (c *Client) overtaken(l *local, r shardset.Heartbeat) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case l.over:
		return heartbeat.ErrEvicted
	case r.Seq < l.seq:
		return heartbeat.ErrStaleHeartbeat
	}
	return nil
}

// leaveWait is how long a leaving process that may have to remove itself from the
// document waits until that is done: whose turn is next would wait longer.
const leaveWait = 250 * time.Millisecond

// Leave puts the member's last word into its record: it is gone, and what it does not
// list is free. The instance must not beat any more. It may take a quarter of a second
// longer than the store does, until somebody has taken that up.
func (c *Client) Leave(ctx context.Context, r shardset.Heartbeat) error {
	if err := r.Validate(); err != nil {
		return err
	}
	if r.Instance == 0 {
		return errNoInstance
	}
	ctx, done, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	if err := c.ensure(ctx); err != nil && !(errors.Is(err, heartbeat.ErrGroupNotFound) && c.spoke(r)) {
		return err
	}
	c.mu.Lock()
	l, err := c.enter(r)
	c.mu.Unlock()
	if errors.Is(err, heartbeat.ErrEvicted) {
		return nil // it has left before, or was taken for dead
	}
	if err != nil {
		return err
	}
	if err := l.acquire(ctx); err != nil {
		return err
	}
	defer l.letGo()
	if err := c.overtaken(l, r); errors.Is(err, heartbeat.ErrEvicted) {
		return nil
	} else if err != nil {
		return err
	}
	left, err := c.writeLast(ctx, l, r)
	if err != nil || !left {
		return err
	}
	c.mu.Lock()
	l.over = true
	c.mu.Unlock()
	if len(r.Held) == 0 {
		c.awaitStep(ctx, l)
	}
	return nil
}

// spoke reports whether an instance has a record of this process: that it has left is worth
// saying also of a group that was deleted, because one that is made after it waits for that.
func (c *Client) spoke(r shardset.Heartbeat) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.locals[r.Member]
	return l != nil && l.instance == r.Instance && l.revision != 0
}

// writeLast writes the last record of an instance, and reports whether there was
// anything to leave.
func (c *Client) writeLast(ctx context.Context, l *local, r shardset.Heartbeat) (left bool, err error) {
	if l.revision == 0 { // only who has busy writes it
		v, err := c.store.Get(ctx, Key{Kind: KindRecord, Name: l.name})
		if err != nil || v.Data == nil {
			return false, err
		}
	}
	rec, _ := c.prepare(l, r, state.StandingLeft)
	err = c.write(ctx, l, rec)
	if errors.Is(err, heartbeat.ErrEvicted) {
		return false, nil
	}
	return err == nil, err
}

// awaitStep waits until the document knows a member no more, if it may be for this
// process to see to that.
func (c *Client) awaitStep(ctx context.Context, l *local) {
	ctx, cancel := context.WithTimeout(ctx, leaveWait)
	defer cancel()
	for {
		c.mu.Lock()
		gone := c.replica.Instance(l.name) != l.instance || !c.turn.watching
		changed := c.changed
		c.mu.Unlock()
		if gone {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
