package sls

import (
	"context"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

const (
	// earlyRefresh is how long before their end credentials are asked for anew, but a
	// quarter of their remaining life at most.
	earlyRefresh = 5 * time.Minute
	// refreshPause is how long a provider that failed is left alone while the old
	// credentials are still good.
	refreshPause = 10 * time.Second
)

// keyring asks a provider for credentials, one question at a time, and remembers the
// answer. It has no goroutine: the one who needs an answer asks, the others wait for
// as long as their contexts let them.
type keyring struct {
	provider CredentialsProvider
	asking   chan struct{} // holds a token while somebody asks

	mu      sync.Mutex // guards the fields below; never held while asking
	current Credentials
	have    bool
	asked   uint64    // questions that were begun
	answer  uint64    // the number of the question that current answers
	renewAt time.Time // zero: current has no known end
}

func newKeyring(p CredentialsProvider) *keyring {
	return &keyring{provider: p, asking: make(chan struct{}, 1)}
}

// get returns credentials to sign with. While those at hand are good but old, one
// caller asks for new ones and nobody waits for it.
func (k *keyring) get(ctx context.Context) (Credentials, error) {
	if s, ok := k.provider.(static); ok {
		return s.credentials, nil
	}
	now := time.Now()
	k.mu.Lock()
	c, arrived, have, renewAt := k.current, k.asked, k.have, k.renewAt
	k.mu.Unlock()
	if !have || c.Expires.IsZero() || !now.Before(c.Expires) {
		return k.ask(ctx, arrived)
	}
	if now.Before(renewAt) {
		return c, nil
	}
	select {
	case k.asking <- struct{}{}:
	default:
		return c, nil
	}
	defer func() { <-k.asking }()
	fresh, err := k.question(ctx)
	if err != nil {
		k.mu.Lock()
		k.renewAt = now.Add(refreshPause)
		k.mu.Unlock()
		return c, nil
	}
	return fresh, nil
}

// renew returns credentials other than the ones that were refused; false if there are
// none.
func (k *keyring) renew(ctx context.Context, refused Credentials) (c Credentials, changed bool, err error) {
	if _, ok := k.provider.(static); ok {
		return refused, false, nil
	}
	k.mu.Lock()
	c, arrived, have := k.current, k.asked, k.have
	k.mu.Unlock()
	if have && !c.same(refused) {
		return c, true, nil
	}
	c, err = k.ask(ctx, arrived)
	return c, err == nil && !c.same(refused), err
}

// ask waits for its turn and asks, unless somebody who began later than arrived has had
// an answer meanwhile.
func (k *keyring) ask(ctx context.Context, arrived uint64) (Credentials, error) {
	select {
	case k.asking <- struct{}{}:
	case <-ctx.Done():
		return Credentials{}, newCredentialsError(ctx.Err().Error(), ctx.Err())
	}
	defer func() { <-k.asking }()
	k.mu.Lock()
	c, have := k.current, k.have && k.answer > arrived
	k.mu.Unlock()
	if have {
		return c, nil
	}
	return k.question(ctx)
}

// question asks the provider. The caller holds the token of asking.
func (k *keyring) question(ctx context.Context) (Credentials, error) {
	k.mu.Lock()
	k.asked++
	number, old := k.asked, k.current
	k.mu.Unlock()
	c, err := k.provider.Credentials(ctx)
	if err != nil {
		return Credentials{}, newCredentialsError(plain(bounded(scrub(err.Error(), old), maxMessage)), err)
	}
	if fault := c.validate(); fault != nil {
		return Credentials{}, newCredentialsError("the provider's credentials "+fault.Error(), heartbeat.ErrUnauthorized)
	}
	now := time.Now()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.current, k.have, k.answer, k.renewAt = c, true, number, time.Time{}
	if !c.Expires.IsZero() {
		k.renewAt = c.Expires.Add(-min(earlyRefresh, c.Expires.Sub(now)/4))
	}
	return c, nil
}
