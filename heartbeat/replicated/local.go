package replicated

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
)

// local is an instance of a member that speaks through this client.
type local struct {
	name     string
	instance uint64
	born     uint64        // of the group that it speaks to
	busy     chan struct{} // has a value while a record of this name is under way

	spokeAt  time.Time
	seq      uint64 // of the newest heartbeat that was begun
	revision uint64 // of the record as this instance wrote it last; zero: it has not yet
	data     []byte
	settled  bool // the document had taken in its last record
	over     bool // its record was taken from it, or it has left

	// released are the shards that it has given up, with their epochs, as long as the
	// document still says that they are its own.
	released map[shardset.ID]uint64
	told     shardset.Answer // the last answer
}

// enter finds or makes the local of a request. What it returns is nil with an error
// that answers the request.
func (c *Client) enter(r shardset.Heartbeat) (*local, error) {
	l := c.locals[r.Member]
	if l == nil || r.Instance > l.instance {
		busy := make(chan struct{}, 1)
		if l != nil {
			busy = l.busy // one record of a name at a time, whoever speaks
		}
		l = &local{name: r.Member, instance: r.Instance, born: c.replica.Born(), busy: busy, released: map[shardset.ID]uint64{}}
		c.locals[r.Member] = l
		c.turn.stale = true
	}
	l.spokeAt = time.Now()
	newest := max(l.instance, c.replica.Instance(r.Member))
	switch {
	case r.Instance < newest:
		return nil, &shardset.ReplacedError{Member: r.Member, Newest: newest}
	case l.over:
		return nil, heartbeat.ErrEvicted
	case r.Seq <= l.seq:
		return nil, heartbeat.ErrStaleHeartbeat
	}
	l.seq = r.Seq
	return l, nil
}

// outdated reports whether the group is another one than an instance speaks to: it was
// deleted and made anew since, and the instance is over. The caller holds mu.
func (c *Client) outdated(l *local) bool {
	return c.replica.TTL() != 0 && (l.born != c.replica.Born() || c.replica.Former(l.name, l.instance))
}

// mine reports whether an instance speaks through this client, or one before it did or
// did elsewhere: who starts again takes its predecessor's turn at once. The caller holds
// mu.
func (c *Client) mine(member string, instance uint64) bool {
	l := c.locals[member]
	return l != nil && instance <= l.instance
}

// own reports whether a version of a record is the last word of an instance that speaks
// through this client. The caller holds mu.
func (c *Client) own(member string, revision uint64) bool {
	l := c.locals[member]
	return l != nil && l.revision == revision
}

// end ends an instance whose record was taken from it: what that said counts no more. The
// caller holds mu.
func (c *Client) end(l *local) {
	c.replica.ForgetRecord(state.Tombstone{Member: l.name, Revision: l.revision})
	l.over, l.revision = true, 0
}

// answer returns what an instance may hold, and notes that it was told. The lease is no
// longer than ttl, which was the group's when its record was made: who judges by that record
// may know no later TTL. The caller holds mu.
func (c *Client) answer(l *local, ttl time.Duration) shardset.Answer {
	l.told = c.allowed(l)
	l.told.TTL = min(l.told.TTL, ttl)
	return l.told
}

// allowed is what the document grants, less what the instance has given up: the step
// that will take it has not come yet, and may give it to somebody else.
func (c *Client) allowed(l *local) shardset.Answer {
	a := c.replica.Answer(l.name, l.instance)
	c.dropTaken(l)
	if len(l.released) > 0 {
		a.Complete = false // what it has given up is to be done again
	}
	if slices.ContainsFunc(a.Grants, l.gaveUp) {
		a.Grants = slices.DeleteFunc(slices.Clone(a.Grants), l.gaveUp)
	}
	return a
}

// gaveUp reports whether the instance has given up a grant that was not taken yet.
func (l *local) gaveUp(g shardset.Grant) bool {
	epoch, ok := l.released[g.ID]
	return ok && g.Epoch <= epoch
}

// dropTaken forgets what the instance had given up and a step has taken from it. The
// caller holds mu.
func (c *Client) dropTaken(l *local) {
	for id, epoch := range l.released {
		if tok, ok := c.replica.Owner(id); !ok || tok.Member != l.name || tok.Instance != l.instance || tok.Epoch > epoch {
			delete(l.released, id)
		}
	}
}

// sameAnswer reports whether a member that was told a has nothing to hear from b.
func sameAnswer(a, b shardset.Answer) bool {
	return a.TTL == b.TTL && a.Complete == b.Complete && slices.Equal(a.Grants, b.Grants)
}

// acquire takes the right to write the records of a local's name.
func (l *local) acquire(ctx context.Context) error {
	select {
	case l.busy <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (l *local) letGo() { <-l.busy }

// write puts an instance's record into the store, over what it wrote last. It returns
// heartbeat.ErrEvicted if somebody took the record from it, and a ReplacedError if that
// was a later instance.
func (c *Client) write(ctx context.Context, l *local, rec *state.Record) error {
	data := rec.Encode()
	c.mu.Lock()
	taken := c.replica.Taken(rec) // a walk over all shards
	old, quiet := l.revision, slices.Equal(data, l.data) || l.settled && taken
	l.settled = taken
	c.mu.Unlock()
	k := Key{Kind: KindRecord, Name: l.name}
	var err error
	// A member that is new has no record: its first one is written without a look, which a
	// thousand that join at once would wait for. Where there is one, the write conflicts.
	for try := 0; ; try++ {
		c.pace(ctx, try)
		if try > 0 {
			if old, err = c.reread(ctx, l); err != nil {
				return err
			}
		}
		revision, err := c.swapRecord(ctx, k, old, data, quiet && try == 0)
		if err == nil {
			c.wrote(l, revision, data, quiet)
			return nil
		}
		if !isConflict(err) || try >= maxTries {
			return fmt.Errorf("record of %q: %w", l.name, err)
		}
	}
}

// maxTries is how often a swap of what is one's own is tried again that met another
// version: an earlier try of one's own which had seemed to fail.
const maxTries = 4

func (c *Client) swapRecord(ctx context.Context, k Key, old uint64, data []byte, quiet bool) (uint64, error) {
	if q, ok := c.store.(RecordClock); ok && quiet {
		return q.SwapQuietly(ctx, k, old, data)
	}
	return c.store.Swap(ctx, k, old, data)
}

// reread finds out what is in the place of an instance's record, and returns its
// revision if it may be written over.
func (c *Client) reread(ctx context.Context, l *local) (uint64, error) {
	c.mu.Lock()
	seen := l.revision
	c.mu.Unlock()
	v, err := c.read(ctx, Key{Kind: KindRecord, Name: l.name}, seen)
	if err != nil {
		return 0, fmt.Errorf("record of %q: %w", l.name, err)
	}
	rec, err := state.DecodeRecord(l.name, v.Data)
	c.mu.Lock()
	defer c.mu.Unlock()
	if v.Revision < l.revision || v.Data == nil && l.revision != 0 {
		// The store has lost it, or it was removed after a verdict. What was granted on
		// its strength may be granted again.
		c.end(l)
		return 0, heartbeat.ErrEvicted
	}
	if v.Data == nil {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	switch {
	case rec.Instance > l.instance:
		c.end(l)
		return 0, &shardset.ReplacedError{Member: l.name, Newest: rec.Instance}
	case rec.Instance == l.instance && rec.Standing != state.StandingAlive:
		c.end(l)
		return 0, heartbeat.ErrEvicted
	}
	return v.Revision, nil
}

// wrote notes that a record is in the store.
func (c *Client) wrote(l *local, revision uint64, data []byte, quiet bool) {
	now := time.Now()
	rec, _ := state.DecodeRecord(l.name, data) // it is well formed: we made it
	c.mu.Lock()
	defer c.mu.Unlock()
	if l.over { // the group was forgotten meanwhile: this is the word of nobody
		return
	}
	l.revision, l.data = revision, data
	c.replica.Observe(now, l.name, revision, &rec)
	if !quiet {
		c.turn.asked(now)
	}
	c.poke()
}
