package coordinator

import (
	"runtime/debug"
	"sync"
)

// backlog is how many waiting jobs are worth a warning.
const backlog = 10_000

// queue carries jobs from the goroutines that must not wait to the one that runs user
// code. It is unbounded: nothing is dropped, and adding never blocks.
type queue struct {
	panicked func(v any, stack []byte) // told of a job that panicked; nil: nobody
	behind   func(waiting int)         // told of each time that backlog is reached; nil: nobody

	mu     sync.Mutex // guards the fields below; never held while a job runs
	jobs   []func()
	closed bool
	more   chan struct{} // has a value when jobs or closed changed
}

func newQueue() *queue { return &queue{more: make(chan struct{}, 1)} }

// add puts a job at the end. After close it does nothing.
func (q *queue) add(job func()) {
	q.mu.Lock()
	if !q.closed {
		q.jobs = append(q.jobs, job)
	}
	waiting := len(q.jobs)
	q.mu.Unlock()
	q.signal()
	if waiting == backlog && q.behind != nil {
		q.behind(waiting)
	}
}

// close lets work return when everything that was added is done.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.signal()
}

func (q *queue) signal() {
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// work runs the jobs, in order, until close.
func (q *queue) work() {
	for range q.more {
		q.mu.Lock()
		jobs, closed := q.jobs, q.closed
		q.jobs = nil
		q.mu.Unlock()
		for _, job := range jobs {
			q.do(job)
		}
		if closed {
			return
		}
	}
}

// do runs one job. A panic in it is the user's bug; it must not stop the others.
func (q *queue) do(job func()) {
	defer func() {
		if v := recover(); v != nil && q.panicked != nil {
			q.panicked(v, debug.Stack())
		}
	}()
	job()
}
