package sls

import (
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// absence is how long something has been missing that should be there. The service is
// eventually consistent: a list, or a node, may not know of a group or logstore yet,
// or for a moment no more. So absence is believed after one lease.
type absence struct {
	since time.Time // zero: it is not missing
}

// believed notes that it is missing, and reports whether to believe that.
func (a *absence) believed(now time.Time, lease time.Duration) bool {
	if a.since.IsZero() {
		a.since = now
	}
	return now.Sub(a.since) >= lease
}

// laggingError is an absence that is not believed yet. It does not match
// heartbeat.ErrGroupNotFound, which would cost the shards, or end the worker.
type laggingError struct {
	text  string
	cause error // what the service said, if it said something
}

func (e *laggingError) Error() string { return e.text }

func (e *laggingError) Unwrap() error { return e.cause }

// Retryable returns true.
func (e *laggingError) Retryable() bool { return true }

// retryIfMissing turns the error of a call that found no logstore, or no group where one
// should be, into one that is tried again for a lease.
func (c *Client) retryIfMissing(err error) error {
	var refused *Error
	noLogstore := errors.As(err, &refused) && refused.class == classLogstoreGone
	if !noLogstore && !errors.Is(err, heartbeat.ErrGroupNotFound) {
		return err
	}
	now := time.Now()
	s := &c.group
	s.mu.Lock()
	defer s.mu.Unlock()
	lease := s.group.Timeout // the last one that was known
	if lease == 0 {
		lease = c.cfg.Timeout
	}
	switch {
	case noLogstore && !s.noLogstore.believed(now, lease):
		return &laggingError{text: err.Error() + "; retrying for a lease, in case that is old news", cause: err}
	case !noLogstore && s.expected:
		if !s.noGroup.believed(now, lease) {
			return &laggingError{text: err.Error() + ", although it should exist; retrying for a lease, in case that is old news"}
		}
		s.expected = false
	}
	return err
}

// groupGone is for a heartbeat that was told that there is no group. Right after the group
// was made, that may be old news too; otherwise its members have nothing any more.
func (c *Client) groupGone(err error) error {
	c.group.mu.Lock()
	fresh := c.group.fresh
	c.group.mu.Unlock()
	if fresh {
		if err = c.retryIfMissing(err); !errors.Is(err, heartbeat.ErrGroupNotFound) {
			return err
		}
	}
	c.forgetGroup()
	return err
}
