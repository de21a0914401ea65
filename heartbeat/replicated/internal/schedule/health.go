package schedule

import (
	"errors"
	"time"
)

// watchHealth records whether a watch works, and what was logged about that. The zero value is for
// a watch that is not needed.
type watchHealth struct {
	works bool
	since time.Time // when it began to fail, or was first started; zero: it works, or is not needed
	err   error     // its newest failure since then; nil: it is only slow

	noted   bool      // this failure was logged
	notedAt time.Time // when a failure was last logged
}

// begun notes that a plan starts the watch, or restarts it.
func (h *watchHealth) begun(now time.Time) {
	if !h.works && h.since.IsZero() {
		h.since = now
	}
}

// worked notes that the watch has shown everything that was there.
func (h *watchHealth) worked() { h.works, h.since, h.err = true, time.Time{}, nil }

// failed notes that the watch has ended with an error.
func (h *watchHealth) failed(now time.Time, err error) {
	if h.since.IsZero() {
		h.since = now
	}
	h.works, h.err = false, err
}

// unneeded notes that the watch has ended because it is not needed.
func (h *watchHealth) unneeded() { h.works, h.since, h.err = false, time.Time{}, nil }

// errSlowWatch is the error for a watch that has not failed, but does not work yet.
var errSlowWatch = errors.New("the watch has not shown yet what is there")

// trouble returns since when the watch has not worked, and why; a nil error means that it
// works, is not needed, or may still be starting: it has half a TTL for that.
func (h *watchHealth) trouble(now time.Time, ttl time.Duration) (since time.Time, err error) {
	switch {
	case h.since.IsZero() || h.err == nil && now.Sub(h.since) < ttl/2:
		return time.Time{}, nil
	case h.err == nil:
		return h.since, errSlowWatch
	}
	return h.since, h.err
}

// due returns what to log about the watch now, zero for nothing, and when to ask again. A failure
// is logged at once, and then every TTL; its end is logged once. If a watch keeps failing and
// recovering, a failure is logged at most once in a TTL.
func (h *watchHealth) due(now time.Time, ttl time.Duration) (n NoticeKind, again time.Time) {
	switch {
	case h.since.IsZero() && !h.noted:
		return 0, time.Time{}
	case h.since.IsZero():
		h.noted = false
		if h.works {
			return WatchWorks, time.Time{}
		}
		return WatchUnneeded, time.Time{}
	}
	at := h.since
	if h.err == nil {
		at = at.Add(ttl / 2)
	}
	if !h.notedAt.IsZero() {
		at = latest(at, h.notedAt.Add(ttl))
	}
	if now.Before(at) {
		return 0, at
	}
	h.noted, h.notedAt = true, now
	return WatchFails, now.Add(ttl)
}

// Notice is something for the log.
type Notice struct {
	Kind NoticeKind
	// Records is true for the watch of the records, and false for the watch of the document.
	Records bool
	// For is how long the watch has not worked.
	For time.Duration
	// Revision is the revision of the document that the notice is about. Seen is the newest known
	// revision.
	Revision, Seen uint64
	Err            error
}

// NoticeKind is what a Notice is about.
type NoticeKind uint8

const (
	// WatchFails: a watch does not work.
	WatchFails NoticeKind = iota + 1
	// WatchWorks: a watch works again.
	WatchWorks
	// WatchUnneeded: a watch that did not work is not needed any more.
	WatchUnneeded
	// StepFailed: a step could not be written.
	StepFailed
	// DocumentWentBack: the store has lost versions of the document.
	DocumentWentBack
	// DocumentUnusable: the document is damaged, has an older generation than a known one, or is of
	// a newer version.
	DocumentUnusable
)

// noticeWatches adds the notices of both watches that are due, and returns when to ask again.
func (s *Scheduler) noticeWatches(now time.Time) (again time.Time) {
	for _, w := range []*watch{&s.document, &s.records} {
		kind, at := w.health.due(now, s.ttl())
		again = soonest(again, at)
		if kind == 0 {
			continue
		}
		n := Notice{Kind: kind, Records: w == &s.records}
		if kind == WatchFails {
			since, err := w.health.trouble(now, s.ttl())
			n.For, n.Err = now.Sub(since), err
		}
		s.notices = append(s.notices, n)
	}
	return again
}

// WatchTrouble returns since when the watch of the document, or of the records, has not
// worked, and why. A nil error means that it works, is not needed, or may still be starting.
func (s *Scheduler) WatchTrouble(now time.Time, records bool) (since time.Time, err error) {
	w := &s.document
	if records {
		w = &s.records
	}
	return w.health.trouble(now, s.ttl())
}
