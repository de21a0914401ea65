package batch

import (
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// pacer decides how long to wait before the next read. It reads no clock.
type pacer struct {
	min, max time.Duration
	foundAt  time.Time // when a read last found something, or of the first read; zero: no read yet
}

// pauseShare is the divisor for the pause: it is a quarter of the time since a read last found
// something. So a shard that gets items often is read often. With a maximum of 1 s, the pause stops
// growing after 4 s.
const pauseShare = 4

// jitter is the fraction of a pause that is random. All shards of a worker start together; without
// jitter they would always be read together.
const jitter = 0.1

// next returns the pause after a read that ended at now. It is zero if there is more to read. chance
// is random, between 0 and 1.
func (p *pacer) next(now time.Time, found, more bool, chance float64) time.Duration {
	if found || p.foundAt.IsZero() {
		p.foundAt = now
	}
	if more {
		return 0
	}
	pause := min(max(now.Sub(p.foundAt)/pauseShare, p.min), p.max)
	return pause - time.Duration(jitter*chance*float64(pause))
}

// schedule returns growing pauses. The zero value begins with the first one.
type schedule struct {
	next func() time.Duration
}

func (s *schedule) pause(b processor.Backoff) time.Duration {
	if s.next == nil {
		s.next = b.Schedule()
	}
	return s.next()
}

func (s *schedule) reset() { s.next = nil }

func (s *schedule) begun() bool { return s.next != nil }
