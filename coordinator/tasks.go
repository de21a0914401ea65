package coordinator

import (
	"sync"
	"time"
)

// tasks owns every goroutine of one Run. It counts rather than waits on a WaitGroup,
// because Run must give up on deaf ones, and a goroutine that waits for a WaitGroup
// would be left behind with them.
type tasks struct {
	mu   sync.Mutex // guards n and idle
	n    int
	idle chan struct{} // closed when n falls to zero; nil: nobody waits
}

// launch starts f. Its owner is the run, it stops as the run's parts say (contexts
// for the heartbeat and the processors, close for the hooks), and wait waits for it.
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

// wait waits for everything launched, at most until the given time.
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

// closed waits for a channel to be closed, at most until the given time.
func closed(done <-chan struct{}, until time.Time) bool {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-done:
		return true
	case <-t.C:
	}
	select { // both at once: closed counts
	case <-done:
		return true
	default:
		return false
	}
}
