package sls

import (
	"context"
	"sync"
)

// background owns the goroutines of a client: close stops them and waits for them.
type background struct {
	ctx context.Context // ends when the client is closed
	end context.CancelFunc

	mu    sync.Mutex // orders launch and close: no task starts while close waits
	tasks sync.WaitGroup
}

func newBackground() *background {
	ctx, end := context.WithCancel(context.Background())
	return &background{ctx: ctx, end: end}
}

// launch runs a task on a goroutine. The task's context ends with the client. launch returns false
// after close.
func (b *background) launch(task func(context.Context)) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed() {
		return false
	}
	b.tasks.Go(func() { task(b.ctx) })
	return true
}

func (b *background) closed() bool { return b.ctx.Err() != nil }

func (b *background) close() {
	b.mu.Lock()
	b.end()
	b.mu.Unlock()
	b.tasks.Wait()
}
