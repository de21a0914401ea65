package sls

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
)

// An *Error may match these, heartbeat.ErrEvicted, heartbeat.ErrGroupNotFound,
// heartbeat.ErrUnauthorized and processor.ErrNotOwner.
var (
	// ErrThrottled: a quota is used up. Error.RetryAfter returns how long to wait.
	ErrThrottled = errors.New("throttled")
	// ErrInvalidCursor: the cursor is not a position in this shard, or no longer.
	ErrInvalidCursor = errors.New("invalid cursor")
	// ErrShardNotFound: the shard does not exist, or no longer.
	ErrShardNotFound = errors.New("shard not found")
	// errGroupExists: a group of that name exists already.
	errGroupExists = errors.New("consumer group exists already")
)

const (
	maxMessage = 512 // bytes of a message that are kept
	maxCode    = 128

	throttlePause = time.Second
	forbidPause   = 30 * time.Second
	maxRetryAfter = time.Minute
)

// Error is the service's refusal of a request. Its strings are the service's own, cut to a length
// and without secrets.
type Error struct {
	Op         string // the operation: "heartbeat", "pull"
	HTTPStatus int
	Code       string // "NotExistConsumerWithBody"; never empty
	Message    string
	RequestID  string

	class  class
	after  time.Duration
	passes bool // credentials that were refused may be taken later
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "sls: %s: HTTP status %d", e.Op, e.HTTPStatus)
	if e.Code != "" {
		fmt.Fprintf(&b, ", code %q", e.Code)
	}
	if e.Message != "" {
		fmt.Fprintf(&b, ": %q", e.Message)
	}
	if e.RequestID != "" {
		fmt.Fprintf(&b, " (request %q)", e.RequestID)
	}
	return b.String()
}

// Retryable reports whether the same request may succeed later. With refused credentials it may,
// if the provider can return others or if the service accepted them before.
func (e *Error) Retryable() bool {
	switch e.class {
	case classEvicted, classThrottled, classForbidden, classRetryable:
		return true
	}
	return e.class == classUnauthorized && e.passes
}

// RetryAfter returns how long to wait before a retry; zero if the service does not say.
func (e *Error) RetryAfter() time.Duration { return e.after }

// Is reports whether the error has the meaning of target, one of the errors listed above.
func (e *Error) Is(target error) bool {
	meaning := e.class.meaning()
	return meaning != nil && target == meaning
}

func (c class) meaning() error {
	switch c {
	case classEvicted:
		return heartbeat.ErrEvicted
	case classGroupGone:
		return heartbeat.ErrGroupNotFound
	case classNotOwner:
		return processor.ErrNotOwner
	case classUnauthorized:
		return heartbeat.ErrUnauthorized
	case classThrottled:
		return ErrThrottled
	case classCursor:
		return ErrInvalidCursor
	case classShardGone:
		return ErrShardNotFound
	case classExists:
		return errGroupExists
	}
	return nil
}

// TransportError means that the service did not answer a request. The service may have carried it
// out or not. A retry may succeed.
//
// An answer counts as the service's own if it has the service's request ID and the right body:
// with a status other than 200 the service's JSON error; with status 200 JSON, complete or not, or,
// for calls without a result such as a put, nothing or JSON that is not an error. All other
// answers, such as the page of a proxy or a portal, are a TransportError, whatever their status.
type TransportError struct {
	Op string
	// HTTPStatus is the status of an answer that is not the service's own; zero if there was
	// no answer.
	HTTPStatus int

	at          string // the service's address; empty: nothing was sent
	unconnected bool   // the request waited for a connection
	text        string // without a query and without secrets
	after       time.Duration
	cause       hiddenError
}

func (e *TransportError) Error() string {
	where := ""
	switch {
	case e.at == "":
	case e.HTTPStatus != 0:
		where = e.at + ": "
	case e.unconnected:
		where = "no connection to " + e.at + ": "
	default:
		where = "no answer from " + e.at + ": "
	}
	return "sls: " + e.Op + ": " + where + e.text
}

// Unwrap returns the cause, context.DeadlineExceeded for instance.
func (e *TransportError) Unwrap() error { return e.cause.reveal() }

// RetryAfter returns how long to wait before a retry, as the answer says, 10 seconds at most. It is
// zero if the answer does not say, and for heartbeats, because the lease does not wait.
func (e *TransportError) RetryAfter() time.Duration { return e.after }

// newTransportError takes the URL out of err, because it has the query in it.
func newTransportError(op string, err error, c Credentials) *TransportError {
	for {
		var u *url.Error
		if !errors.As(err, &u) || u.Err == nil {
			break
		}
		err = u.Err
	}
	text := plain(bounded(scrub(err.Error(), c), maxMessage))
	return &TransportError{Op: op, text: text, cause: func() error { return err }}
}

// hiddenError holds an error whose text may have secrets. For some verbs fmt prints the fields of
// an error, but never those behind a closure.
type hiddenError func() error

func (h hiddenError) reveal() error {
	if h == nil {
		return nil
	}
	return h()
}

// plain replaces control characters, which errors of net/http quote from answers.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// ResponseError is an answer of the service with status 200 that the client cannot use. A caller
// must conclude nothing from it.
type ResponseError struct {
	Op        string
	Reason    string
	RequestID string

	cause error
}

// Unwrap returns a *PageSizeError if the page is too large, and an untyped error or nil otherwise.
func (e *ResponseError) Unwrap() error { return e.cause }

func (e *ResponseError) Error() string {
	if e.RequestID == "" {
		return fmt.Sprintf("sls: %s: bad answer: %s", e.Op, e.Reason)
	}
	return fmt.Sprintf("sls: %s: bad answer: %s (request %q)", e.Op, e.Reason, e.RequestID)
}

// UsageError is a call with a wrong argument. The client did not send it.
type UsageError struct {
	Op     string
	Reason string
}

func (e *UsageError) Error() string { return fmt.Sprintf("sls: %s: %s", e.Op, e.Reason) }

// Retryable returns false.
func (e *UsageError) Retryable() bool { return false }

func usage(op, format string, args ...any) error {
	return &UsageError{Op: op, Reason: fmt.Sprintf(format, args...)}
}

// scrub removes secrets from a text that others wrote. Services send back the string to sign, for
// instance.
func scrub(s string, c Credentials) string {
	for _, secret := range []heartbeat.Secret{c.AccessKeySecret, c.SecurityToken} {
		if !secret.Empty() {
			s = strings.ReplaceAll(s, secret.Reveal(), secret.String())
		}
	}
	return s
}
