package natskv

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"weak"

	"github.com/nats-io/nats.go"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// rightError names the permission that the connection's user lacks. It matches
// heartbeat.ErrUnauthorized and nats.ErrPermissionViolation.
type rightError struct {
	subject   string
	subscribe bool // and not publish
	err       error
}

func (e *rightError) Error() string {
	verb := "publish"
	if e.subscribe {
		verb = "subscribe"
	}
	return fmt.Sprintf("the user has no permission to %s to %q; the package documentation lists the permissions that a worker needs: %v",
		verb, e.subject, e.err)
}

func (e *rightError) Unwrap() error { return e.err }

func (e *rightError) Is(target error) bool { return target == heartbeat.ErrUnauthorized }

// Retryable returns true, because permissions can change while servers run. A worker
// retries while its lease lasts, or for one TTL.
func (e *rightError) Retryable() bool { return true }

// rights collects the permission violations of a connection. A server does not answer a
// request that it does not permit. It reports the subject to the connection, and does not
// say which request it means.
type rights struct {
	inboxes string // the prefix of the subjects of answers

	mu      sync.Mutex // guards the fields below
	waiting map[*request]struct{}
	inbox   *rightError // set if the inbox may not be subscribed to: no answer arrives
}

// request is a request that waits for its answer.
type request struct {
	subject string // ends with a dot if the rest is unknown
	refuse  context.CancelCauseFunc
}

// known has the rights of each connection that a store uses. All stores of a connection
// share one error handler.
var known = struct {
	mu sync.Mutex
	of map[weak.Pointer[nats.Conn]]*rights
}{of: map[weak.Pointer[nats.Conn]]*rights{}}

// rightsOf returns the rights of a connection. The first call wraps the connection's error
// handler.
func rightsOf(conn *nats.Conn) *rights {
	known.mu.Lock()
	defer known.mu.Unlock()
	key := weak.Make(conn)
	if r := known.of[key]; r != nil {
		return r
	}
	inbox := conn.NewInbox()
	r := &rights{inboxes: inbox[:strings.LastIndex(inbox, ".")+1], waiting: map[*request]struct{}{}}
	known.of[key] = r
	runtime.AddCleanup(conn, func(key weak.Pointer[nats.Conn]) {
		known.mu.Lock()
		defer known.mu.Unlock()
		delete(known.of, key)
	}, key)
	next := conn.ErrorHandler()
	conn.SetErrorHandler(func(c *nats.Conn, s *nats.Subscription, err error) {
		r.onError(err)
		if next != nil {
			next(c, s, err)
		}
	})
	return r
}

var violation = regexp.MustCompile(`(?i)(publish|subscription) to "(\S+)"`)

// parseViolation returns the permission that a server's error names, or nil.
func parseViolation(err error) *rightError {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil
	}
	m := violation.FindStringSubmatch(err.Error())
	if m == nil {
		return nil
	}
	return &rightError{subject: m[2], subscribe: strings.EqualFold(m[1], "subscription"), err: err}
}

// onError handles an error of the connection, on the connection's goroutine.
func (r *rights) onError(err error) {
	lacking := parseViolation(err)
	if lacking == nil || lacking.subscribe && !strings.HasPrefix(lacking.subject, r.inboxes) {
		return // of a request that is not a store's
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if lacking.subscribe {
		r.inbox = lacking
	}
	for q := range r.waiting {
		if lacking.subscribe || q.is(lacking.subject) {
			q.refuse(lacking) // this only cancels a context
		}
	}
}

func (q *request) is(subject string) bool {
	return subject == q.subject || strings.HasSuffix(q.subject, ".") && strings.HasPrefix(subject, q.subject)
}

// permitted makes a request on a subject. If the server does not permit it, the request
// ends at once with a *rightError.
func permitted[T any](
	ctx context.Context, conn *nats.Conn, subject string, ask func(context.Context) (T, error),
) (T, error) {
	r := rightsOf(conn)
	waiting, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	q := &request{subject: subject, refuse: cancel}
	r.mu.Lock()
	r.waiting[q] = struct{}{}
	r.mu.Unlock()
	answer, err := ask(waiting)
	r.mu.Lock()
	delete(r.waiting, q)
	if err == nil {
		r.inbox = nil
	}
	inbox := r.inbox
	r.mu.Unlock()
	var lacking *rightError
	switch {
	case err == nil:
	case errors.As(context.Cause(waiting), &lacking):
		err = lacking
	case !errors.Is(err, context.DeadlineExceeded):
	case inbox != nil:
		err = inbox
	default:
		// The program may have replaced the error handler.
		if last := parseViolation(conn.LastError()); last != nil && !last.subscribe && q.is(last.subject) {
			err = last
		}
	}
	return answer, err
}

// queryAPI makes a request to JetStream's API about the stream of the bucket, with retries
// as retryRead does.
func queryAPI[T any](ctx context.Context, b *bucket, operation string, ask func(context.Context) (T, error)) (T, error) {
	return permitted(ctx, b.store.conn, "$JS.API."+operation, func(ctx context.Context) (T, error) { return retryRead(ctx, ask) })
}
