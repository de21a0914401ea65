package sls

import (
	"errors"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// absence records since when a group or logstore has been missing. The service is eventually
// consistent: a list or a node may not show it yet, or may miss it for a moment. So the client
// treats it as missing only after one lease.
type absence struct {
	since time.Time // zero: it is not missing
}

// lasted records that the group or logstore is missing now. It reports whether it has been missing
// for a whole lease.
func (a *absence) lasted(now time.Time, lease time.Duration) bool {
	if a.since.IsZero() {
		a.since = now
	}
	return now.Sub(a.since) >= lease
}

// laggingError means that a group or logstore has been missing for less than a lease. It does not
// match heartbeat.ErrGroupNotFound, because that error makes a worker drop its shards or end.
type laggingError struct {
	text  string
	cause error // the service's error, if there is one
}

func (e *laggingError) Error() string { return e.text }

func (e *laggingError) Unwrap() error { return e.cause }

// Retryable returns true.
func (e *laggingError) Retryable() bool { return true }

// retryIfMissing replaces the error about a missing logstore, or about a missing group that should
// exist, by a retryable one until one lease has passed. It returns other errors unchanged.
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
	lease := s.group.Timeout // as it was last read
	if lease == 0 {
		lease = c.cfg.Timeout
	}
	switch {
	case noLogstore && !s.noLogstore.lasted(now, lease):
		return &laggingError{text: err.Error() + "; the worker retries for one lease, in case the service lags", cause: err}
	case !noLogstore && s.expected:
		if !s.noGroup.lasted(now, lease) {
			return &laggingError{text: err.Error() + ", although it should exist; the worker retries for one lease, in case the service lags"}
		}
		s.expected = false
	}
	return err
}

// onGroupNotFound handles the error of a heartbeat that did not find the group. Right after a
// create the service may not know the group yet, so the error is retryable. Otherwise the group was
// deleted, and the members have lost their leases.
func (c *Client) onGroupNotFound(err error) error {
	c.group.mu.Lock()
	created := c.group.justCreated
	c.group.mu.Unlock()
	if created {
		if err = c.retryIfMissing(err); !errors.Is(err, heartbeat.ErrGroupNotFound) {
			return err
		}
	}
	c.forgetGroup()
	return err
}
