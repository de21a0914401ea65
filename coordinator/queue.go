package coordinator

import (
	"runtime/debug"
	"sync"

	"go.uber.org/zap"
)

// queue carries what has to be told, log lines and hooks, from the goroutines that
// must not wait to the one that calls user code. It is unbounded: nothing is
// dropped, and adding never blocks.
type queue struct {
	log *zap.Logger

	mu     sync.Mutex // guards the fields below; never held while a job runs
	jobs   []func()
	closed bool
	more   chan struct{} // has a value when jobs or closed changed
}

func newQueue(log *zap.Logger) *queue {
	return &queue{log: log, more: make(chan struct{}, 1)}
}

// add puts a job at the end. After close it does nothing.
func (q *queue) add(job func()) {
	q.mu.Lock()
	if !q.closed {
		q.jobs = append(q.jobs, job)
	}
	q.mu.Unlock()
	q.signal()
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

// do runs one job. A panic in a hook is the user's bug; it must not stop the others.
func (q *queue) do(job func()) {
	defer func() {
		if v := recover(); v != nil {
			q.log.Error("hook panicked", zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
		}
	}()
	job()
}
