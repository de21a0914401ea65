package schedule

import (
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// Document is a version of the group's document that was read from the store.
type Document struct {
	// Revision is zero if the store has no document and no trace of an earlier one.
	Revision uint64
	// Exists reports whether there is a document.
	Exists bool
	// Version is nil if there is no document, if it cannot be used, or if the shell knew a newer
	// one and so did not decode it.
	Version *state.Version
	// Err is why the document cannot be used.
	Err error
}

// readState is what is known of reads of the document.
type readState struct {
	at       time.Time // when the document is read again
	underWay bool      // a plan reads it
	early    bool      // the read under way began before the last step failed, and no newer document has come since
	// currentAt is when the last successful read began. The replica knows what that read found, or
	// a newer document.
	currentAt time.Time
}

// planRead reads the document every half TTL, even if the watch seems to work: a watch that has
// stopped without an error delays a change by half a TTL at the most. After a failed step, planRead
// reads the document at once.
func (s *Scheduler) planRead(now time.Time, ttl time.Duration, p *Plan) time.Time {
	switch {
	case s.read.underWay:
		return time.Time{}
	case !s.step.failed && now.Before(s.read.at):
		return s.read.at
	}
	p.ReadDocument, s.read.underWay = true, true
	s.read.at = now.Add(s.jitter(ttl / 2))
	return s.read.at
}

// DocumentSeen takes a version of the document from a write of this process, or from a watch, which
// may lag. It returns an error if the document cannot be used.
func (s *Scheduler) DocumentSeen(now time.Time, d Document) error {
	if d.Revision <= s.replica.Revision() || d.Version == nil && d.Err == nil {
		return nil
	}
	err := d.Err
	if err != nil {
		s.unreadable(d.Revision, err)
	} else if err = s.replica.Adopt(now, d.Revision, d.Version); err != nil {
		s.forget(now)
	}
	if err != nil {
		s.notices = append(s.notices, Notice{Kind: DocumentUnusable, Revision: d.Revision, Err: err})
		return s.documentError(err)
	}
	s.adopted(now)
	return nil
}

// adopted notes that the replica has another document.
func (s *Scheduler) adopted(now time.Time) {
	s.fault, s.read.early = nil, false
	if born := s.replica.Born(); born != s.born {
		s.born = born
		clear(s.claims) // they belong to a deleted group
	}
	s.documentChanged(now)
}

// DocumentRead takes the result of a read of the document. The read began at began; the newest
// known document then had the revision seen. If the read returned an older one, the store has lost
// writes, or does not know its own newest version. In both cases the shards that local members hold
// may be granted to others. So the process forgets the group, and its members join again.
func (s *Scheduler) DocumentRead(now, began time.Time, seen uint64, d Document) error {
	switch {
	case d.Revision < seen || !d.Exists && seen != 0:
		_, deleted := s.replica.Known()
		s.forget(now)
		if !deleted || d.Revision != 0 { // otherwise the group was purged
			s.notices = append(s.notices, Notice{Kind: DocumentWentBack, Revision: d.Revision, Seen: seen})
		}
	case d.Exists:
		if d.Revision < s.faultOf {
			s.fault = nil // the store has lost the version that could not be read
		}
		if err := s.DocumentSeen(now, d); err != nil {
			return err
		}
	}
	s.read.currentAt = latest(s.read.currentAt, began)
	return nil
}

// DocumentReadDone notes that the read of a plan has ended. err is the error of the read or of
// DocumentRead.
func (s *Scheduler) DocumentReadDone(now time.Time, err error) {
	s.read.underWay = false
	if err != nil {
		s.read.at = now.Add(s.ttl() / 10)
	}
	if s.step.failed && !s.read.early { // otherwise the next plan reads it again
		s.retryStep(now, err)
	}
	s.read.early = false
}

// DocumentPurged notes that the deleted group's document of this revision was removed.
func (s *Scheduler) DocumentPurged(now time.Time, revision uint64) {
	if s.replica.Revision() == revision {
		s.forget(now)
	}
}

// unreadable notes that a version of the document cannot be used. Heartbeats fail until another
// version comes.
func (s *Scheduler) unreadable(revision uint64, err error) {
	s.fault, s.faultOf = s.documentError(err), revision
}

// documentError adds to an error that it is about the group's document.
func (s *Scheduler) documentError(err error) error {
	return fmt.Errorf("document of group %q: %w", s.cfg.Group, err)
}

// tooOld reports whether a newer version of this package wrote the newest document. Then this
// process neither writes the document nor expires members.
func (s *Scheduler) tooOld() bool {
	return errors.Is(s.fault, state.ErrNewer) || s.replica.Writable() != nil
}

// forget ends every local instance, and forgets what is known of the group. The members join again,
// and the watch of the records starts again.
func (s *Scheduler) forget(now time.Time) {
	for _, l := range s.members {
		s.endInstance(l)
	}
	s.replica.Reset()
	s.fault = nil
	s.probe.at, s.probe.found = time.Time{}, nil
	s.dropExpired()
	s.records.end()
	s.documentChanged(now)
}

// documentChanged wakes the watchers of each member whose answer may have changed with the newest
// document.
func (s *Scheduler) documentChanged(now time.Time) {
	s.changed = true
	s.step.changedAt = now
	s.step.pendingAt = time.Time{} // each rank waits again before the next step
	for name := range s.watched {
		l := s.members[name]
		if l == nil || l.over || s.outdated(l) || !sameAnswer(l.answered, s.allowed(l)) {
			s.wakeUp(name)
		}
	}
}

// Known reports whether there is a document, and whether its group was deleted.
func (s *Scheduler) Known() (known, deleted bool) { return s.replica.Known() }

// Revision returns the revision of the newest document, zero if none is known.
func (s *Scheduler) Revision() uint64 { return s.replica.Revision() }

// TTL returns the group's TTL, zero if there is no group.
func (s *Scheduler) TTL() time.Duration { return s.replica.TTL() }

// Ordered reports whether the group is ordered.
func (s *Scheduler) Ordered() bool { return s.replica.Ordered() }

// Shards returns the group's sorted shard IDs. The caller must not change them.
func (s *Scheduler) Shards() []shardset.ID { return s.replica.Shards() }

// Snapshot returns the group as the newest document has it.
func (s *Scheduler) Snapshot() (group.Snapshot, error) { return s.replica.Snapshot() }

// Edit calls change, and returns the document that change returns, to write over the newest
// revision. Data is nil if nothing changes. Edit reports false if there is no group.
func (s *Scheduler) Edit(change func(r *state.Replica) ([]byte, error)) (w Write, ok bool, err error) {
	if s.replica.TTL() == 0 {
		return Write{}, false, nil
	}
	data, err := change(s.replica)
	s.replica.DiscardStep()
	return Write{Data: data, Over: s.replica.Revision()}, true, err
}
