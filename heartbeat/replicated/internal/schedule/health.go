package schedule

import (
	"errors"
	"time"
)

// watchHealth is whether a watch works, and what the log has of that. The zero value is a
// watch that is not needed.
type watchHealth struct {
	works bool
	since time.Time // when it began to fail, or was begun for the first time; zero: it works, or is not needed
	err   error     // its newest failure since then; nil: it only takes its time

	noted   bool      // the log has a warning of this failure
	notedAt time.Time // when the log had one last
}

// begun notes that the watch is started, or started again.
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

// errSlowWatch is why a watch does not work that has not failed either.
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

// due returns what the log is to get of the watch now, zero for nothing, and when to ask again.
// It gets a failure at once, then every TTL, and its end once. A watch that fails and works by
// turns is in the log once in a TTL.
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
	// Records says that the watch is that of the records, not of the document.
	Records bool
	// For is how long the watch has not worked.
	For time.Duration
	// Revision is that of the document in question, and Seen the newest that was known.
	Revision, Seen uint64
	Err            error
}

// NoticeKind is what a Notice is about.
type NoticeKind uint8

const (
	// WatchFails: a watch does not work.
	WatchFails NoticeKind = iota + 1
	// WatchWorks: it works again.
	WatchWorks
	// WatchUnneeded: one that did not work is not needed any more.
	WatchUnneeded
	// StepFailed: the document could not be changed.
	StepFailed
	// DocumentWentBack: the store has lost writes of it.
	DocumentWentBack
	// DocumentUnusable: it is damaged, from before one that was seen, or of a newer version.
	DocumentUnusable
)

// noticeWatches says of both watches what is due, and returns when to ask again.
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
