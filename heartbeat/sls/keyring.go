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
	// The client calls the provider earlyRefresh before the credentials expire. If they are valid
	// for less than four times earlyRefresh, it calls the provider when a quarter of their time is
	// left.
	earlyRefresh = 5 * time.Minute
	// refreshPause is the pause after a failed call, while the last credentials are valid. It is
	// also the pause between two calls if the credentials have no Expires.
	refreshPause = 10 * time.Second
	// closeGrace is how long Close waits for a provider whose context has ended.
	closeGrace = time.Second
)

var errClosed = errors.New("the client is closed")

// keys are the last credentials of a provider.
type keys struct {
	Credentials
	have    bool
	renewAt time.Time // the first request at this time or later calls the provider again
}

// usable reports whether the keys can sign requests. Keys that do not expire are valid until the
// service refuses them.
func (k keys) usable(now time.Time) bool {
	return k.have && (k.Expires.IsZero() || now.Before(k.Expires))
}

// due reports whether it is time to call the provider.
func (k keys) due(now time.Time) bool { return !k.usable(now) || !now.Before(k.renewAt) }

// newKeys returns the keys after the provider returned c.
func newKeys(now time.Time, c Credentials) keys {
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

// keyring keeps the last credentials of a provider. It makes one call of the provider at a time, on
// a separate goroutine. A request waits for the call only if the keyring has no valid credentials
// or the service refused them. It waits at most until its own context ends.
type keyring struct {
	provider CredentialsProvider
	fixed    bool          // the provider is Static
	final    bool          // the provider is Static or FromEnv: nothing outside of this process can change the credentials
	timeout  time.Duration // of a call
	log      *zap.Logger
	ctx      context.Context // of the calls; ends when the client is closed

	mu      sync.Mutex // guards the fields below; never held during a call
	keys    keys
	current *providerCall // nil: no call is running
	failing bool          // the last call failed
}

// providerCall is one call of the provider. Its results are set before done is closed.
type providerCall struct {
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
	call := k.callProvider()
	k.mu.Unlock()
	if last.usable(now) {
		return last.Credentials, nil
	}
	return call.wait(ctx)
}

// renew returns credentials other than the refused ones, and false if there are none. A call that
// was already running may return the refused ones; renew then makes one more call.
func (k *keyring) renew(ctx context.Context, refused Credentials) (c Credentials, changed bool, err error) {
	for range 2 {
		k.mu.Lock()
		if last := k.keys; last.have && !last.same(refused) {
			k.mu.Unlock()
			return last.Credentials, true, nil
		}
		joined := k.current != nil
		call := k.callProvider()
		k.mu.Unlock()
		c, err = call.wait(ctx)
		changed = err == nil && !c.same(refused)
		if changed || !joined {
			break
		}
	}
	return c, changed, err
}

// callProvider returns the running call, or starts one. The caller holds mu. The call runs on a
// goroutine of the keyring. The keyring's context or the timeout ends it; close waits for it, up to
// closeGrace.
func (k *keyring) callProvider() *providerCall {
	if k.current != nil {
		return k.current
	}
	call := &providerCall{done: make(chan struct{})}
	if k.ctx.Err() != nil {
		call.err = newCredentialsError(errClosed.Error(), errClosed)
		close(call.done)
		return call
	}
	k.current = call
	go k.run(call, k.keys.Credentials)
	return call
}

func (k *keyring) run(call *providerCall, old Credentials) {
	call.err = newCredentialsError("the provider ended its goroutine", nil) // in case the provider calls runtime.Goexit
	defer func() { k.finish(call) }()
	ctx, cancel := context.WithTimeout(k.ctx, k.timeout)
	defer cancel()
	c, err := credentials(ctx, k.provider)
	if err != nil {
		call.err = newCredentialsError(plain(bounded(scrub(scrub(err.Error(), old), c), maxMessage)), err)
		return
	}
	if fault := c.validate(); fault != nil {
		call.err = newCredentialsError("the provider's credentials "+fault.Error(), heartbeat.ErrUnauthorized)
		return
	}
	call.cred, call.err = c, nil
}

// credentials calls the provider. It returns a panic as an error.
func credentials(ctx context.Context, p CredentialsProvider) (c Credentials, err error) {
	returned := false
	defer func() {
		if v := recover(); !returned { // with GODEBUG=panicnil=1, recover returns nil after panic(nil)
			err = &processor.PanicError{Where: "CredentialsProvider", Value: v, Stack: debug.Stack()}
		}
	}()
	c, err = p.Credentials(ctx)
	returned = true
	return c, err
}

// finish stores the result of a call. If the last credentials are still valid, it logs the first of
// several failures in a row.
func (k *keyring) finish(call *providerCall) {
	now := time.Now()
	k.mu.Lock()
	k.current = nil
	if call.err == nil {
		k.keys = newKeys(now, call.cred)
	} else {
		k.keys = k.keys.failed(now)
	}
	warn := call.err != nil && !k.failing && k.ctx.Err() == nil && k.keys.usable(now)
	k.failing = call.err != nil
	k.mu.Unlock()
	close(call.done)
	if warn {
		k.log.Warn("credentials cannot be renewed; requests use the last ones", zap.Error(call.err))
	}
}

func (c *providerCall) wait(ctx context.Context) (Credentials, error) {
	select {
	case <-c.done:
		return c.cred, c.err
	case <-ctx.Done():
		return Credentials{}, newCredentialsError("the provider has not answered yet: "+ctx.Err().Error(), ctx.Err())
	}
}

// close waits up to closeGrace for the running call. The caller has ended the context, so no other
// call follows.
func (k *keyring) close() error {
	k.mu.Lock()
	call := k.current
	k.mu.Unlock()
	if call == nil {
		return nil
	}
	t := time.NewTimer(closeGrace)
	defer t.Stop()
	select {
	case <-call.done:
		return nil
	case <-t.C:
		return newCredentialsError("the provider ignores its context and still runs", nil)
	}
}
