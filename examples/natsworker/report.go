package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
)

// tally is what was handled.
type tally struct {
	batches, messages, bytes, breaks atomic.Int64
	retries, handovers               atomic.Int64
}

func (t *tally) add(c contents) {
	t.batches.Add(1)
	t.messages.Add(int64(c.messages))
	t.bytes.Add(c.bytes)
	t.breaks.Add(int64(c.breaks))
}

// summary prints what the worker has done.
func (w *worker) summary(took time.Duration, out io.Writer) {
	t, n := &w.tally, w.coord.Status().Counters
	fmt.Fprintf(out, "summary: batches=%d messages=%d bytes=%d duration=%v breaks=%d retries=%d gaps=%d leases_lost=%d handovers=%d\n",
		t.batches.Load(), t.messages.Load(), t.bytes.Load(), took.Round(time.Millisecond),
		t.breaks.Load(), t.retries.Load(), n.Gaps, n.LeasesLost, t.handovers.Load())
}

// report prints the status every now and then, until stop is called.
func (w *worker) report(begin time.Time, out io.Writer) (stop func()) {
	if w.o.statusEvery == 0 {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() { // ends with quit; stop waits for it
		defer close(ended)
		tick := time.NewTicker(w.o.statusEvery)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.status(time.Since(begin), out)
			case <-quit:
				return
			}
		}
	}()
	return func() {
		close(quit)
		<-ended
	}
}

// status prints a line about the worker as it is.
func (w *worker) status(took time.Duration, out io.Writer) {
	s, t := w.coord.Status(), &w.tally
	states, lag := map[coordinator.ShardState]int{}, time.Duration(0)
	for _, sh := range s.Shards {
		states[sh.State]++
		lag = max(lag, sh.Progress.Lag)
	}
	fmt.Fprintf(out, "status: after=%v state=%v shards=%d draining=%d halted=%d complete=%d stuck=%d lag_max=%v batches=%d messages=%d bytes=%d retries=%d handovers=%d",
		took.Round(time.Millisecond), s.State, len(s.Shards), states[coordinator.ShardDraining], states[coordinator.ShardHalted],
		states[coordinator.ShardComplete], states[coordinator.ShardStuck], lag.Round(time.Millisecond),
		t.batches.Load(), t.messages.Load(), t.bytes.Load(), t.retries.Load(), t.handovers.Load())
	if s.LastError != nil {
		fmt.Fprintf(out, " error=%q", s.LastError)
	}
	fmt.Fprintln(out)
}
