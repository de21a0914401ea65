package batch

import (
	"context"
	"time"
)

// mustDrain reports whether the shard is revoked, or the body has left the loop over Range.
func (l *loop[T]) mustDrain() bool {
	select {
	case <-l.s.Revoked():
	case <-l.quit:
	default:
		return false
	}
	return true
}

// startDrain stops reading. Only the running attempts go on, and DeadLetter for items that were passed
// to GiveUp.
func (l *loop[T]) startDrain() {
	if !l.closing() {
		l.commits.retryAtOnce()
	}
	if !l.draining {
		l.reportLastGap()
	}
	l.draining = true
	l.reading.stop()
}

// stop ends the loop with err, because of ActionHalt or ActionFatal.
func (l *loop[T]) stop(err error) {
	if !l.closing() {
		l.commits.retryAtOnce()
	}
	if l.stopped == nil {
		l.stopped = err
	}
	l.reading.stop()
}

// closing reports whether the loop starts no more reads and batches.
func (l *loop[T]) closing() bool { return l.draining || l.ctxEnded || l.stopped != nil }

// finished reports whether there is nothing left to wait for.
func (l *loop[T]) finished() bool {
	switch {
	case l.running > 0:
		return false
	case l.ctxEnded:
		return true
	case l.commitAt() != time.Time{}:
		return false
	}
	return l.closing() || l.noMoreReads && l.window.empty()
}

// result returns the result of Process.
func (l *loop[T]) result() error {
	switch {
	case l.stopped != nil:
		return l.stopped
	case l.ctxEnded:
		return context.Cause(l.ctx)
	case l.noMoreReads && l.window.empty() && (l.gone || l.commits.err == nil):
		return l.endErr
	}
	return l.commits.err
}

// close releases everything. Goroutines can still be running here only if Chunk.After panicked on the
// goroutine of Process.
func (l *loop[T]) close() {
	l.timer.Stop()
	l.reading.stop()
	for ; l.running > 0; l.running-- {
		if e := <-l.events; e.read != nil {
			l.releaseRead(e.read)
		}
	}
	for i := range l.lanes {
		for _, p := range l.lanes[i].queue {
			l.releasePart(p)
		}
	}
	for _, s := range l.slots {
		for _, p := range s.parts() {
			l.releasePart(p)
		}
	}
	if l.reading.reader != nil {
		l.closeReader(l.reading.reader)
	}
}
