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

// With errors.Is, an *Error matches at most one error: one of these, heartbeat.ErrEvicted,
// heartbeat.ErrGroupNotFound, heartbeat.ErrUnauthorized or processor.ErrNotOwner.
var (
	// ErrThrottled: a quota is used up. Error.RetryAfter returns how long to wait.
	ErrThrottled = errors.New("throttled")
	// ErrInvalidCursor: the cursor is not a position in this shard, or it has expired.
	ErrInvalidCursor = errors.New("invalid cursor")
	// ErrShardNotFound: the shard never existed or does not exist any more.
	ErrShardNotFound = errors.New("shard not found")
	// errGroupExists: a group of that name exists already.
	errGroupExists = errors.New("consumer group exists already")
)

const (
	maxMessage = 512 // bytes; a longer message is cut
	maxCode    = 128

	throttlePause = time.Second
	forbidPause   = 30 * time.Second
	maxRetryAfter = time.Minute
)

// Error means that the service refused a request. Code, Message and RequestID come from the
// service; the client shortens them and removes secrets.
type Error struct {
	Op         string // the operation: "heartbeat", "pull"
	HTTPStatus int
	Code       string // "NotExistConsumerWithBody"; never empty
	Message    string
	RequestID  string

	class   class
	after   time.Duration
	mayPass bool // the service refused the credentials, but a later request may succeed
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

// Retryable reports whether the same request may succeed later. After refused credentials it may
// succeed if the provider can return others, or if the service accepted credentials for this
// operation before.
func (e *Error) Retryable() bool {
	switch e.class {
	case classEvicted, classThrottled, classForbidden, classRetryable:
		return true
	}
	return e.class == classUnauthorized && e.mayPass
}

// RetryAfter returns how long to wait before a retry: what the answer asks for, at most a minute.
// If it asks for nothing, RetryAfter returns 1 s after throttling, 30 s after ProjectForbidden, and
// zero otherwise.
func (e *Error) RetryAfter() time.Duration { return e.after }

// Is reports whether the error means target; the comment of ErrThrottled lists the targets.
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

// TransportError means that the client got no answer from the service. The service may or may not
// have carried out the request. A retry may succeed.
//
// An answer counts as the service's own if it has the service's request ID and a body that fits its
// status:
//
//   - with a status other than 200: the service's JSON error;
//   - with status 200 after a pull: any body;
//   - with status 200 after a call without a result, such as a put: no body, or JSON that is not an
//     error;
//   - with status 200 after any other call: no body, or JSON, even if it is cut off.
//
// Every other answer, such as an HTML page of a proxy, is a TransportError.
type TransportError struct {
	Op string
	// HTTPStatus is the status of an answer that is not the service's own. Zero means no answer.
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

// RetryAfter returns how long to wait before a retry: what the answer asks for, at most 10 seconds.
// Zero means that it asks for nothing. It is always zero for heartbeats, because waiting would use
// up the lease.
func (e *TransportError) RetryAfter() time.Duration { return e.after }

// newTransportError removes the URL from err, because the URL contains the query.
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

// hiddenError holds an error whose text may contain secrets. It is a closure, because some verbs of
// fmt print the fields of an error, but not what a closure holds.
type hiddenError func() error

func (h hiddenError) reveal() error {
	if h == nil {
		return nil
	}
	return h()
}

// plain replaces control characters, because errors of net/http may repeat those of an answer.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// ResponseError means that the service answered with status 200, and that the client cannot use the
// answer. Do not take it for an empty answer: an unreadable list is not an empty list.
type ResponseError struct {
	Op        string
	Reason    string
	RequestID string

	cause error
}

// Unwrap returns a *PageSizeError if the page is too large, and otherwise nil or an error that is
// only a text.
func (e *ResponseError) Unwrap() error { return e.cause }

func (e *ResponseError) Error() string {
	if e.RequestID == "" {
		return fmt.Sprintf("sls: %s: bad answer: %s", e.Op, e.Reason)
	}
	return fmt.Sprintf("sls: %s: bad answer: %s (request %q)", e.Op, e.Reason, e.RequestID)
}

// UsageError means that an argument is wrong. The client sent nothing.
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

// scrub removes secrets from a text of the service or of a provider. After a bad signature, for
// instance, the service returns the string that the client had to sign.
func scrub(s string, c Credentials) string {
	for _, secret := range []heartbeat.Secret{c.AccessKeySecret, c.SecurityToken} {
		if !secret.Empty() {
			s = strings.ReplaceAll(s, secret.Reveal(), secret.String())
		}
	}
	return s
}
