package batch

import "time"

// pacer decides how long to wait before the next read. It reads no clock.
type pacer struct {
	min, max   time.Duration
	emptySince time.Time // since when nothing has come
}

// quietShare is how the pause grows: to this fraction of the time that nothing has
// come. What comes after an hour of silence waits as long as after a minute, because
// of the bound; what trickles in is found within the shortest pause.
const pauseShare = 4

// spread is how much of a pause is random, so that the shards of a worker, which
// start together, do not read together for ever.
const jitter = 0.1

// next returns the pause after a read that ended at now. Behind the end there is
// none. chance is between 0 and 1.
func (p *pacer) next(now time.Time, got, more bool, chance float64) time.Duration {
	if got || p.emptySince.IsZero() {
		p.emptySince = now
	}
	if more {
		return 0
	}
	pause := min(max(now.Sub(p.emptySince)/pauseShare, p.min), p.max)
	return pause - time.Duration(jitter*chance*float64(pause))
}
