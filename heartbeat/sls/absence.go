package sls

import (
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// absence is since when a group or logstore has been missing. The service is eventually
// consistent: a list or a node may not know it yet, or not for a moment. So the client believes
// that it does not exist after one lease.
type absence struct {
	since time.Time // zero: it is not missing
}

// believed notes that it is missing, and reports whether it has been so for a lease.
func (a *absence) believed(now time.Time, lease time.Duration) bool {
	if a.since.IsZero() {
		a.since = now
	}
	return now.Sub(a.since) >= lease
}

// laggingError is an absence that the client does not believe yet. It does not match
// heartbeat.ErrGroupNotFound, for which a worker gives up its shards or ends.
type laggingError struct {
	text  string
	cause error // the service's error, if there is one
}

func (e *laggingError) Error() string { return e.text }

func (e *laggingError) Unwrap() error { return e.cause }

// Retryable returns true.
func (e *laggingError) Retryable() bool { return true }

// retryIfMissing makes the error of a missing logstore, or of a missing group that should exist,
// retryable for one lease.
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
		return &laggingError{text: err.Error() + "; it is retried for one lease, in case the service lags", cause: err}
	case !noLogstore && s.expected:
		if !s.noGroup.believed(now, lease) {
			return &laggingError{text: err.Error() + ", although it should exist; it is retried for one lease, in case the service lags"}
		}
		s.expected = false
	}
	return err
}

// groupGone handles the answer to a heartbeat that the group does not exist. Right after the group
// was created the service may lag; otherwise the members hold nothing any more.
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
