package replicated

import (
	"context"
	"slices"
	"sync"
)

// lanes lets one call at a time write the record of a member, in the order of the calls. The zero
// value is ready.
type lanes struct {
	mu sync.Mutex // held for a moment only
	// waiting has an entry for each member whose lane is taken: the calls that wait for it.
	waiting map[string][]chan struct{}
}

// tryEnter takes a member's lane if it is free, and reports whether it was.
func (l *lanes) tryEnter(member string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.take(member)
}

func (l *lanes) take(member string) bool {
	if _, taken := l.waiting[member]; taken {
		return false
	}
	if l.waiting == nil {
		l.waiting = map[string][]chan struct{}{}
	}
	l.waiting[member] = nil
	return true
}

// enter waits until the caller has a member's lane. The caller gives it back by leave.
func (l *lanes) enter(ctx context.Context, member string) error {
	l.mu.Lock()
	if l.take(member) {
		l.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	l.waiting[member] = append(l.waiting[member], turn)
	l.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		if !l.giveUp(member, turn) {
			l.leave(member) // it has got the lane meanwhile
		}
		return context.Cause(ctx)
	}
}

// giveUp ends the wait of a call, and reports whether the call was still waiting.
func (l *lanes) giveUp(member string, turn chan struct{}) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.Index(l.waiting[member], turn)
	if i < 0 {
		return false
	}
	l.waiting[member] = slices.Delete(l.waiting[member], i, i+1)
	return true
}

// leave gives a member's lane to the next call that waits.
func (l *lanes) leave(member string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.waiting[member]
	if len(queue) == 0 {
		delete(l.waiting, member)
		return
	}
	close(queue[0])
	l.waiting[member] = queue[1:]
}
