package sls

import (
	"context"
	"errors"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
)

const (
	// earlyRefresh is how long before the end of credentials the client asks for new ones; a
	// quarter of their remaining time if that is less.
	earlyRefresh = 5 * time.Minute
	// refreshPause is the pause between two questions while the last credentials are good,
	// after a failure and where the provider does not say when they end.
	refreshPause = 10 * time.Second
	// closeGrace is how long Close waits for a provider whose context has ended.
	closeGrace = time.Second
)

var errClosed = errors.New("the client is closed")

// keys are the last credentials of a provider.
type keys struct {
	Credentials
	have    bool
	renewAt time.Time // when to ask the provider again, beside the requests
}

// usable reports whether the keys can sign requests. Keys without an end are good until the service
// refuses them.
func (k keys) usable(now time.Time) bool {
	return k.have && (k.Expires.IsZero() || now.Before(k.Expires))
}

// due reports whether it is time to ask for new keys.
func (k keys) due(now time.Time) bool { return !k.usable(now) || !now.Before(k.renewAt) }

// given returns the keys after the provider returned c.
func given(now time.Time, c Credentials) keys {
	k := keys{Credentials: c, have: true, renewAt: now.Add(refreshPause)}
	if !c.Expires.IsZero() {
		k.renewAt = c.Expires.Add(-min(earlyRefresh, c.Expires.Sub(now)/4))
	}
	return k
}

// failed returns the keys after the provider failed.
func (k keys) failed(now time.Time) keys {
	k.renewAt = now.Add(refreshPause)
	return k
}

// keyring asks a provider for credentials and keeps the answer. It asks one question at a time, on
// a goroutine of its own. A request waits for the answer only if it has no credentials, and no longer
// than its context.
type keyring struct {
	provider CredentialsProvider
	fixed    bool          // the provider is Static and always returns the same
	final    bool          // nothing outside of this process can change the credentials
	timeout  time.Duration // of a question
	log      *zap.Logger
	ctx      context.Context // of the questions; ends when the client is closed

	mu      sync.Mutex // guards the fields below; never held while asking
	keys    keys
	asking  *question // nil: none is under way
	failing bool      // the last question failed, and that was logged
}

// question is one call of the provider. The results are set before done is closed.
type question struct {
	done chan struct{}
	cred Credentials
	err  error
}

func newKeyring(ctx context.Context, p CredentialsProvider, timeout time.Duration, log *zap.Logger) *keyring {
	_, final := p.(interface{ validate() error }) // Static and FromEnv
	k := &keyring{provider: p, final: final, timeout: timeout, log: log, ctx: ctx}
	if s, ok := p.(static); ok {
		k.fixed, k.keys = true, keys{Credentials: s.credentials, have: true}
	}
	return k
}

// get returns credentials to sign with.
func (k *keyring) get(ctx context.Context) (Credentials, error) {
	now := time.Now()
	k.mu.Lock()
	last := k.keys
	if k.fixed || !last.due(now) {
		k.mu.Unlock()
		return last.Credentials, nil
	}
	q := k.ask()
	k.mu.Unlock()
	if last.usable(now) {
		return last.Credentials, nil
	}
	return q.wait(ctx)
}

// renew returns credentials other than the refused ones; false if there are none. A question that
// was already under way may return the refused ones; then renew asks once more.
func (k *keyring) renew(ctx context.Context, refused Credentials) (c Credentials, changed bool, err error) {
	for range 2 {
		k.mu.Lock()
		if last := k.keys; last.have && !last.same(refused) {
			k.mu.Unlock()
			return last.Credentials, true, nil
		}
		joined := k.asking != nil
		q := k.ask()
		k.mu.Unlock()
		c, err = q.wait(ctx)
		changed = err == nil && !c.same(refused)
		if changed || !joined {
			break
		}
	}
	return c, changed, err
}

// ask returns the question that is under way, or a new one. The caller holds mu. The keyring owns the
// goroutine; its context or the timeout stops it; close waits for it.
func (k *keyring) ask() *question {
	if k.asking != nil {
		return k.asking
	}
	q := &question{done: make(chan struct{})}
	if k.ctx.Err() != nil {
		q.err = newCredentialsError(errClosed.Error(), errClosed)
		close(q.done)
		return q
	}
	k.asking = q
	go k.call(q, k.keys.Credentials)
	return q
}

func (k *keyring) call(q *question, old Credentials) {
	q.err = newCredentialsError("the provider ended its goroutine", nil) // with runtime.Goexit
	defer func() { k.finish(q) }()
	ctx, cancel := context.WithTimeout(k.ctx, k.timeout)
	defer cancel()
	c, err := credentials(ctx, k.provider)
	if err != nil {
		q.err = newCredentialsError(plain(bounded(scrub(scrub(err.Error(), old), c), maxMessage)), err)
		return
	}
	if fault := c.validate(); fault != nil {
		q.err = newCredentialsError("the provider's credentials "+fault.Error(), heartbeat.ErrUnauthorized)
		return
	}
	q.cred, q.err = c, nil
}

// credentials calls the provider. A panic in it is an error.
func credentials(ctx context.Context, p CredentialsProvider) (c Credentials, err error) {
	returned := false
	defer func() {
		if v := recover(); !returned { // under GODEBUG=panicnil=1 it returns nil for a panic(nil)
			err = &processor.PanicError{Where: "CredentialsProvider", Value: v, Stack: debug.Stack()}
		}
	}()
	c, err = p.Credentials(ctx)
	returned = true
	return c, err
}

// finish ends a question.
func (k *keyring) finish(q *question) {
	now := time.Now()
	k.mu.Lock()
	k.asking = nil
	if q.err == nil {
		k.keys = given(now, q.cred)
	} else {
		k.keys = k.keys.failed(now)
	}
	tell := q.err != nil && !k.failing && k.ctx.Err() == nil && k.keys.usable(now)
	k.failing = q.err != nil
	k.mu.Unlock()
	close(q.done)
	if tell {
		k.log.Warn("credentials cannot be renewed; requests use the last ones", zap.Error(q.err))
	}
}

func (q *question) wait(ctx context.Context) (Credentials, error) {
	select {
	case <-q.done:
		return q.cred, q.err
	case <-ctx.Done():
		return Credentials{}, newCredentialsError("the provider has not answered yet: "+ctx.Err().Error(), ctx.Err())
	}
}

// close waits up to closeGrace for the question that is under way. The caller has ended the context,
// so no question follows.
func (k *keyring) close() error {
	k.mu.Lock()
	q := k.asking
	k.mu.Unlock()
	if q == nil {
		return nil
	}
	t := time.NewTimer(closeGrace)
	defer t.Stop()
	select {
	case <-q.done:
		return nil
	case <-t.C:
		return newCredentialsError("the provider ignores its context and still runs", nil)
	}
}
