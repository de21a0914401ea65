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

// What an *Error may match, besides heartbeat.ErrEvicted, heartbeat.ErrGroupNotFound,
// heartbeat.ErrUnauthorized and processor.ErrNotOwner.
var (
	// ErrThrottled: a quota is used up. Error.RetryAfter says how long to wait.
	ErrThrottled = errors.New("throttled")
	// ErrInvalidCursor: the cursor is no position in this shard, or not any more. The
	// code says so, never the words of a message.
	ErrInvalidCursor = errors.New("invalid cursor")
	// ErrShardNotFound: the shard does not exist, or not any more.
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

// Error is what the service says when it refuses a request. Its strings are the
// service's own, cut to a length, with the secrets that it may have sent back removed.
type Error struct {
	Op         string // "heartbeat", "pull": what was refused
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

// Retryable reports whether the same request may succeed later. Refused credentials may
// be taken later if a provider can give others, or if the service took them before.
func (e *Error) Retryable() bool {
	switch e.class {
	case classEvicted, classThrottled, classForbidden, classRetryable:
		return true
	}
	return e.class == classUnauthorized && e.passes
}

// RetryAfter returns how long the service wants to be left alone; zero if it does not
// say.
func (e *Error) RetryAfter() time.Duration { return e.after }

// Is matches the error against what it means.
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

// TransportError is a request that got no answer from the service: whether it was
// carried out is not known. A later one may succeed.
//
// An answer counts as the service's own if it has the service's request id and, unless
// its status is 200, the service's JSON error. Where the service answers in JSON, the body
// must be JSON, complete or not; where it answers with nothing, to a commit or a put for
// instance, it must be empty or JSON that is no error. Anything else, the page of a proxy
// or a portal for instance, is a TransportError, whatever its status.
type TransportError struct {
	Op string
	// HTTPStatus is that of an answer that is not the service's own; zero if there was
	// no answer.
	HTTPStatus int

	at          string // the service's address; empty: nothing was sent
	unconnected bool   // there was no connection yet
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

// Unwrap returns what went wrong, context.DeadlineExceeded for instance.
func (e *TransportError) Unwrap() error { return e.cause.reveal() }

// RetryAfter returns how long whoever answered wants to be left alone, 10 seconds at
// most; zero if it does not say, and for heartbeats: their lease would not wait.
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

// hiddenError is an error that may have secrets in its text. fmt looks into errors for
// verbs that do not suit them, but not into a closure.
type hiddenError func() error

func (h hiddenError) reveal() error {
	if h == nil {
		return nil
	}
	return h()
}

// plain replaces control characters: net/http shows the odd bytes that it got.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, s)
}

// ResponseError is an answer of the service that makes no sense, although its status is
// 200. It is no answer: nothing may be concluded from it.
type ResponseError struct {
	Op        string
	Reason    string
	RequestID string

	cause error
}

// Unwrap returns what is wrong with the answer, where it has a type of its own: a
// *PageSizeError.
func (e *ResponseError) Unwrap() error { return e.cause }

func (e *ResponseError) Error() string {
	if e.RequestID == "" {
		return fmt.Sprintf("sls: %s: bad answer: %s", e.Op, e.Reason)
	}
	return fmt.Sprintf("sls: %s: bad answer: %s (request %q)", e.Op, e.Reason, e.RequestID)
}

// UsageError is a call that makes no sense. It was not sent.
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

// scrub takes secrets out of a text that others wrote: services send back what they
// were asked to sign, for instance.
func scrub(s string, c Credentials) string {
	for _, secret := range []heartbeat.Secret{c.AccessKeySecret, c.SecurityToken} {
		if !secret.Empty() {
			s = strings.ReplaceAll(s, secret.Reveal(), secret.String())
		}
	}
	return s
}
