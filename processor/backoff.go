package processor

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Backoff sets the pauses between attempts. The first pause is about Min, and each further
// one about twice as long, up to Max. Each is random by half, so that many shards do not
// try again at the same time.
type Backoff struct {
	Min, Max time.Duration
}

// Schedule returns a function that returns the next pause at each call. It never ends.
func (b Backoff) Schedule() func() time.Duration {
	policy := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(b.Min),
		backoff.WithMaxInterval(b.Max),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0),
	)
	return func() time.Duration { return min(policy.NextBackOff(), b.Max) }
}
