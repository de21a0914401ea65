package processor

import (
	"time"

	"github.com/cenkalti/backoff/v4"
)

// Backoff spaces attempts: the first pause is about Min, each further one twice as
// long, up to Max, all of them random by half so that many do not act at once.
type Backoff struct {
	Min, Max time.Duration
}

// Schedule returns a function that gives one pause after the other, without an end.
func (b Backoff) Schedule() func() time.Duration {
	policy := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(b.Min),
		backoff.WithMaxInterval(b.Max),
		backoff.WithMultiplier(2),
		backoff.WithMaxElapsedTime(0),
	)
	return func() time.Duration { return min(policy.NextBackOff(), b.Max) }
}
