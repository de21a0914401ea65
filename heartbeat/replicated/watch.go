package replicated

import (
	"context"
	"time"
)

// Watch returns a channel that gets a value whenever the member's answer may have changed. It is
// closed when ctx ends, and by Close. Each call returns a channel of its own.
func (c *Client) Watch(ctx context.Context, member string) (<-chan struct{}, error) {
	_, done, err := c.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	wake := make(chan struct{}, 1)
	err = c.report(func(o *owner, _ time.Time) {
		if o.watchers[member] == nil {
			o.watchers[member] = map[chan struct{}]struct{}{}
		}
		o.watchers[member][wake] = struct{}{}
		o.SetWatched(member, true)
	})
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() {
		_ = c.report(func(o *owner, _ time.Time) { o.unwatch(member, wake) })
	})
	return wake, nil
}

func (o *owner) unwatch(member string, wake chan struct{}) {
	delete(o.watchers[member], wake)
	if len(o.watchers[member]) == 0 {
		delete(o.watchers, member)
		o.SetWatched(member, false)
	}
	close(wake)
}

// wakeWatchers leaves a value in the channels of a member, unless one is there already.
func (o *owner) wakeWatchers(member string) {
	for wake := range o.watchers[member] {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
}

// closeWatchers closes all channels that are left when the Client is closed.
func (o *owner) closeWatchers() {
	for _, all := range o.watchers {
		for wake := range all {
			close(wake)
		}
	}
}
