package replicated

import (
	"context"
	"sync"
)

// lanes lets one call at a time write the record of a member. The zero value is ready.
type lanes struct {
	mu sync.Mutex // held for a moment only
	of map[string]*lane
}

type lane struct {
	busy  chan struct{} // has a value while a call has the lane
	users int           // those that have it or wait for it
}

// enter waits until the caller has a member's lane, and returns what gives it back.
func (l *lanes) enter(ctx context.Context, member string) (leave func(), err error) {
	l.mu.Lock()
	way := l.of[member]
	if way == nil {
		way = &lane{busy: make(chan struct{}, 1)}
		if l.of == nil {
			l.of = map[string]*lane{}
		}
		l.of[member] = way
	}
	way.users++
	l.mu.Unlock()
	done := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if way.users--; way.users == 0 {
			delete(l.of, member)
		}
	}
	select {
	case way.busy <- struct{}{}:
		return func() { <-way.busy; done() }, nil
	case <-ctx.Done():
		done()
		return nil, context.Cause(ctx)
	}
}
