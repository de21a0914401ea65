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

// permissionError names the permission that the connection's user does not have. It matches
// heartbeat.ErrUnauthorized and nats.ErrPermissionViolation.
type permissionError struct {
	subject   string
	subscribe bool // false: publish
	err       error
}

func (e *permissionError) Error() string {
	verb := "publish"
	if e.subscribe {
		verb = "subscribe"
	}
	return fmt.Sprintf("the user has no permission to %s to %q; the package documentation lists the permissions that a worker needs: %v",
		verb, e.subject, e.err)
}

func (e *permissionError) Unwrap() error { return e.err }

func (e *permissionError) Is(target error) bool { return target == heartbeat.ErrUnauthorized }

// Retryable returns true, because permissions can change while servers run. A worker retries
// while its lease lasts, or for one TTL if it has no lease.
func (e *permissionError) Retryable() bool { return true }

// violations collects the permission violations of a connection. If a request is not
// permitted, the server does not answer it. It reports the subject to the connection, but
// not which request it refused.
type violations struct {
	inboxes string // the prefix of the subjects for answers

	mu      sync.Mutex // guards the fields below
	waiting map[*request]struct{}
	inbox   *permissionError // set if the user may not subscribe to the inbox: no answer arrives
}

// request is a request that waits for its answer.
type request struct {
	subject string // ends with a dot if the rest is unknown
	refuse  context.CancelCauseFunc
}

// connections has the violations of each connection that a store uses. All stores of a
// connection share one error handler.
var connections = struct {
	mu         sync.Mutex // guards violations
	violations map[weak.Pointer[nats.Conn]]*violations
}{violations: map[weak.Pointer[nats.Conn]]*violations{}}

// violationsOf returns the violations of a connection. The first call wraps the connection's
// error handler.
func violationsOf(conn *nats.Conn) *violations {
	connections.mu.Lock()
	defer connections.mu.Unlock()
	key := weak.Make(conn)
	if r := connections.violations[key]; r != nil {
		return r
	}
	inbox := conn.NewInbox()
	r := &violations{inboxes: inbox[:strings.LastIndex(inbox, ".")+1], waiting: map[*request]struct{}{}}
	connections.violations[key] = r
	runtime.AddCleanup(conn, func(key weak.Pointer[nats.Conn]) {
		connections.mu.Lock()
		defer connections.mu.Unlock()
		delete(connections.violations, key)
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

var violationText = regexp.MustCompile(`(?i)(publish|subscription) to "(\S+)"`)

// parseViolation returns the permission that a server's error names, or nil.
func parseViolation(err error) *permissionError {
	if !errors.Is(err, nats.ErrPermissionViolation) {
		return nil
	}
	m := violationText.FindStringSubmatch(err.Error())
	if m == nil {
		return nil
	}
	return &permissionError{subject: m[2], subscribe: strings.EqualFold(m[1], "subscription"), err: err}
}

// onError handles an error of the connection, on the connection's goroutine.
func (r *violations) onError(err error) {
	denied := parseViolation(err)
	if denied == nil || denied.subscribe && !strings.HasPrefix(denied.subject, r.inboxes) {
		return // another part of the program made the request
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if denied.subscribe {
		r.inbox = denied
	}
	for q := range r.waiting {
		if denied.subscribe || q.is(denied.subject) {
			q.refuse(denied) // this only cancels a context
		}
	}
}

func (q *request) is(subject string) bool {
	return subject == q.subject || strings.HasSuffix(q.subject, ".") && strings.HasPrefix(subject, q.subject)
}

// permitted makes a request on a subject. If the request is not permitted, it ends at once
// with a *permissionError.
func permitted[T any](
	ctx context.Context, conn *nats.Conn, subject string, ask func(context.Context) (T, error),
) (T, error) {
	r := violationsOf(conn)
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
	var denied *permissionError
	switch {
	case err == nil:
	case errors.As(context.Cause(waiting), &denied):
		err = denied
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
