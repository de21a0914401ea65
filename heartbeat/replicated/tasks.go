package replicated

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/schedule"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
)

// maxAtOnce is how many records one task reads or writes at a time.
const maxAtOnce = 16

func recordKey(member string) Key { return Key{Kind: KindRecord, Name: member} }

// watchDocument passes each version of the document to the owner, until ctx ends or the watch
// breaks.
func (c *Client) watchDocument(ctx context.Context) {
	err := c.store.Watch(ctx, KindDocument, func(e Event) {
		switch {
		case e.Key == (Key{}):
			_ = c.report(func(o *owner, _ time.Time) { o.DocumentWatchWorked() })
		case e.Key == documentKey && e.Value.Data != nil:
			_ = c.show(e.Value) // the Scheduler logs an error
		}
	})
	_ = c.report(func(o *owner, now time.Time) {
		o.endDocumentWatch()
		o.endDocumentWatch = nil
		o.DocumentWatchEnded(now, err)
	})
}

// watchRecords passes the records of all members to the owner, until ctx ends or the watch breaks.
func (c *Client) watchRecords(ctx context.Context) {
	err := c.store.Watch(ctx, KindRecord, func(e Event) {
		if e.Key == (Key{}) {
			_ = c.report(func(o *owner, now time.Time) { o.RecordWatchWorked(now) })
			return
		}
		rec := c.decode(e.Key.Name, e.Value)
		_ = c.report(func(o *owner, now time.Time) { o.RecordSeen(now, e.Key.Name, e.Value.Revision, rec) })
	})
	_ = c.report(func(o *owner, now time.Time) {
		o.endRecordWatch()
		o.endRecordWatch = nil
		o.RecordWatchEnded(now, err)
	})
}

// decode is decodeRecord, and logs a record that cannot be read.
func (c *Client) decode(member string, v Value) *state.Record {
	rec, err := decodeRecord(member, v)
	if err != nil {
		c.log.Warn("a record cannot be read", zap.Error(err))
	}
	return rec
}

// decodeRecord reads a record, which takes a while if it is large. It returns nil if there is
// none, and the zero Record with an error for one that cannot be read.
func decodeRecord(member string, v Value) (*state.Record, error) {
	if v.Data == nil {
		return nil, nil
	}
	rec, err := state.DecodeRecord(member, v.Data)
	return &rec, err
}

// keepUp reads the document.
func (c *Client) keepUp(ctx context.Context) {
	err := c.refresh(ctx)
	if err != nil && ctx.Err() == nil {
		c.log.Debug("the group's document could not be read", zap.Error(err))
	}
	_ = c.report(func(o *owner, now time.Time) { o.DocumentReadDone(now, err) })
}

// step writes a step of the document.
func (c *Client) step(ctx context.Context, w schedule.Write) {
	d := schedule.Document{Exists: true}
	var err error
	if d.Version, err = state.ReadVersion(w.Data); err != nil { // no process could read the document
		err = fmt.Errorf("the group has grown too large: %w", err)
	} else {
		d.Revision, err = c.store.Swap(ctx, documentKey, w.Over, w.Data)
	}
	_ = c.report(func(o *owner, now time.Time) {
		switch {
		case err == nil:
			o.DocumentWritten(now, d)
		case isConflict(err):
			o.DocumentConflicted(now)
		default:
			o.DocumentNotWritten(now, err)
		}
	})
}

// forEach calls do for each element of a list, maxAtOnce at a time.
func forEach[T any](list []T, do func(T)) {
	var g errgroup.Group
	g.SetLimit(maxAtOnce)
	for _, v := range list {
		g.Go(func() error { do(v); return nil })
	}
	_ = g.Wait()
}

// writeTombstones expires members: it writes a tombstone over the last record of each.
func (c *Client) writeTombstones(ctx context.Context, expired []state.Tombstone) {
	forEach(expired, func(v state.Tombstone) {
		data := v.Encode()
		revision, err := c.store.Swap(ctx, recordKey(v.Member), v.Revision, data)
		outcome := func(o *owner, _ time.Time) { o.TombstoneFailed(v.Member) }
		switch {
		case err == nil:
			c.log.Info("a member was silent for its whole lease and has expired",
				zap.String("member", v.Member), zap.Uint64("instance", v.Instance))
			rec := c.decode(v.Member, Value{Data: data})
			outcome = func(o *owner, now time.Time) { o.TombstoneWritten(now, v, revision, rec) }
		case isConflict(err):
			if found, err := c.store.Get(ctx, recordKey(v.Member)); err == nil {
				rec := c.decode(v.Member, found)
				outcome = func(o *owner, now time.Time) { o.TombstoneConflicted(now, v.Member, found.Revision, rec) }
			}
		case ctx.Err() == nil:
			c.log.Debug("a member could not be expired", zap.String("member", v.Member), zap.Error(err))
		}
		_ = c.report(outcome)
	})
}

// probeRecords reads the records of some members.
func (c *Client) probeRecords(ctx context.Context, members []string) {
	forEach(members, func(name string) {
		v, err := c.store.Get(ctx, recordKey(name))
		rec, _ := decodeRecord(name, v)
		_ = c.report(func(o *owner, now time.Time) { o.Probed(now, name, v.Revision, rec, err) })
	})
}

// askClock asks the store which records are older than age.
func (c *Client) askClock(ctx context.Context, age time.Duration) {
	events, next, err := c.clock.OlderRecords(ctx, age)
	if err != nil && ctx.Err() == nil {
		c.log.Debug("the store could not be asked which records are old", zap.Error(err))
	}
	old := make([]schedule.OldRecord, len(events))
	for i, e := range events {
		old[i] = schedule.OldRecord{Name: e.Key.Name, Revision: e.Value.Revision}
		if rec, _ := decodeRecord(e.Key.Name, e.Value); rec != nil { // a record that cannot be read may be old, too
			old[i].Record = *rec
		}
	}
	_ = c.report(func(o *owner, _ time.Time) { o.ClockAnswered(old, next, err) })
}

// deleteRecords deletes orphaned records. One that was written meanwhile stays.
func (c *Client) deleteRecords(ctx context.Context, orphaned []state.Tombstone) {
	forEach(orphaned, func(v state.Tombstone) {
		if err := c.store.Delete(ctx, recordKey(v.Member), v.Revision); err == nil {
			_ = c.report(func(o *owner, _ time.Time) { o.RecordDeleted(v) })
		}
	})
}
