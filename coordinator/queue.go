package coordinator

import (
	"runtime/debug"
	"sync"
)

// backlog is the number of waiting jobs that causes a warning.
const backlog = 10_000

// queue passes jobs to a goroutine that runs user code, so that the other goroutines need not wait
// for user code. It is unbounded: no job is dropped, and add never blocks.
type queue struct {
	panicked func(v any, stack []byte) // called for each job that panicked; may be nil
	behind   func(waiting int)         // called each time that backlog is reached; may be nil

	mu     sync.Mutex // guards the fields below; never held while a job runs
	jobs   []func()
	closed bool
	more   chan struct{} // has a value when jobs or closed changed
	done   chan struct{} // closed after close, when all jobs have run
}

func newQueue() *queue { return &queue{more: make(chan struct{}, 1), done: make(chan struct{})} }

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

// close makes work return once all added jobs have run.
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

// work runs the jobs, in order, until close, and then closes done. A job can end the
// goroutine, as testing.T.FailNow does. Then launch starts a new one.
func (q *queue) work(launch func(func())) {
	ended := false
	defer func() {
		if ended {
			close(q.done)
			return
		}
		launch(func() { q.work(launch) })
	}()
	for {
		job, ok := q.next()
		if !ok {
			break
		}
		q.do(job)
	}
	ended = true
}

// next waits for a job and removes it. It returns false if no more jobs will come.
func (q *queue) next() (func(), bool) {
	for {
		q.mu.Lock()
		if len(q.jobs) > 0 {
			job := q.jobs[0]
			q.jobs[0] = nil
			q.jobs = q.jobs[1:]
			q.mu.Unlock()
			return job, true
		}
		closed := q.closed
		q.mu.Unlock()
		if closed {
			return nil, false
		}
		<-q.more
	}
}

// do runs one job. A panic in it must not stop the other jobs.
func (q *queue) do(job func()) {
	returned := false
	defer func() {
		v := recover()
		if returned || q.panicked == nil {
			return
		}
		if v == nil {
			v = "it ended its goroutine with runtime.Goexit"
		}
		q.panicked(v, debug.Stack())
	}()
	job()
	returned = true
}
