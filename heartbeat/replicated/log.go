package replicated

import (
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/schedule"
)

// watchNames has the names of the two watches for the log, and what the process does without each.
var watchNames = map[bool]struct{ name, instead string }{
	false: {"the group's document", "this process reads the document every half TTL instead, so handovers are slow"},
	true:  {"the members' records", "this process reads the records of a few members twice in a TTL instead, so expired members are found later"},
}

// notice writes a notice of the scheduler to the log.
func (c *Client) notice(n schedule.Notice) {
	watch := watchNames[n.Records]
	switch n.Kind {
	case schedule.WatchFails:
		say := c.log.Warn
		if !heartbeat.Retryable(n.Err) {
			say = c.log.Error
		}
		say("the watch of "+watch.name+" does not work; "+watch.instead, zap.Duration("for", n.For), zap.Error(n.Err))
	case schedule.WatchWorks:
		c.log.Info("the watch of " + watch.name + " works again")
	case schedule.WatchUnneeded:
		c.log.Info("the watch of " + watch.name + ", which did not work, is not needed any more")
	case schedule.StepFailed:
		c.log.Warn("the group's document could not be changed", zap.Error(n.Err))
	case schedule.DocumentWentBack:
		c.log.Warn("the group's document went back: the store has lost writes", zap.Uint64("seen", n.Seen), zap.Uint64("found", n.Revision))
	case schedule.DocumentUnusable:
		c.log.Warn("the group's document cannot be used", zap.Uint64("revision", n.Revision), zap.Error(n.Err))
	}
}

// Degraded implements heartbeat.Degradable: it returns since when a watch of this process has not
// worked, and why. A nil error means that all watches work. Without a watch the process only reads
// from time to time, so handovers and takeovers take longer.
func (c *Client) Degraded() (since time.Time, err error) {
	c.mu.Lock()
	running := c.running
	c.mu.Unlock()
	if !running {
		return time.Time{}, nil
	}
	_ = c.ask(func(o *owner, now time.Time) {
		for _, records := range []bool{false, true} {
			at, e := o.WatchTrouble(now, records)
			if e == nil {
				continue
			}
			if since.IsZero() || at.Before(since) {
				since = at
			}
			err = errors.Join(err, fmt.Errorf("the watch of %s does not work: %w", watchNames[records].name, e))
		}
	})
	return since, err
}
