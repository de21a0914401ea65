package coordinator

import (
	"sync"
	"time"
)

// tasks starts and counts all goroutines of one Run. It does not use a WaitGroup, because Run must
// not wait forever. A wait with a time limit needs another goroutine, and a stuck processor would
// leave that goroutine behind too.
type tasks struct {
	mu   sync.Mutex // guards n and idle
	n    int
	idle chan struct{} // closed when n falls to zero; nil: wait was not called
}

// launch starts f. wait waits for it. The caller must stop it: contexts stop the heartbeat and
// the processors, and queue.close stops the queues of hooks and log lines.
func (c *tasks) launch(f func()) {
	c.mu.Lock()
	c.n++
	c.mu.Unlock()
	go func() {
		defer c.done()
		f()
	}()
}

// watch starts f and returns a channel that is closed when it has returned.
func (c *tasks) watch(f func()) <-chan struct{} {
	done := make(chan struct{})
	c.launch(func() {
		defer close(done)
		f()
	})
	return done
}

func (c *tasks) done() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n--
	if c.n == 0 && c.idle != nil {
		close(c.idle)
		c.idle = nil
	}
}

// wait waits until all have returned, at most until the given time.
func (c *tasks) wait(until time.Time) {
	c.mu.Lock()
	if c.n == 0 {
		c.mu.Unlock()
		return
	}
	idle := make(chan struct{})
	c.idle = idle
	c.mu.Unlock()
	closed(idle, until)
}

// closed waits until a channel is closed, at most until the given time, and reports whether it is.
func closed(done <-chan struct{}, until time.Time) bool {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
	}
	select { // when both are ready, select may have taken the timer
	case <-done:
		return true
	default:
		return false
	}
}
