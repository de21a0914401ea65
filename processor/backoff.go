package processor

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Backoff sets the pauses between attempts. The first pause is about Min. Each further pause
// is about twice as long as the one before, up to Max. A random factor from 0.5 to 1.5 changes
// each pause, so that many shards do not try again at the same time. What a zero field means
// depends on the option that the Backoff is for.
type Backoff struct {
	Min, Max time.Duration
}

// Schedule returns a function that returns the next pause each time it is called. The number of
// calls has no limit. The function is not safe for concurrent use.
func (b Backoff) Schedule() func() time.Duration {
	policy := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(b.Min),
		backoff.WithMaxInterval(b.Max),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0),
	)
	return func() time.Duration { return min(policy.NextBackOff(), b.Max) }
}
