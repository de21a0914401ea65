package batch

import (
	"time"

	"github.com/rollcall-go/rollcall/processor"
)

// pacer decides how long to wait before the next read. It reads no clock.
type pacer struct {
	min, max time.Duration
	foundAt  time.Time // when something was last found; zero: never
}

// pauseShare makes the pause this fraction of the time since something was last found. After an hour
// of silence, new items wait as long as after a minute, because of the bound. Items that trickle
// in are found within the shortest pause.
const pauseShare = 4

// jitter is how much of a pause is random: the shards of a worker start together, and must not read
// together for ever.
const jitter = 0.1

// next returns the pause after a read that ended at now: none if there is more to read. chance is
// between 0 and 1.
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

// schedule is growing pauses. The zero value is a new schedule.
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
