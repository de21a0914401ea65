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
	batches, groups, logs, bytes atomic.Int64
	retries, handovers           atomic.Int64
	sum                          atomic.Uint32 // of all values
	waits                        waits
}

func (t *tally) add(c contents) {
	t.batches.Add(1)
	t.groups.Add(int64(c.groups))
	t.logs.Add(int64(c.logs))
	t.bytes.Add(c.bytes)
	t.sum.Add(uint32(c.sum))
}

// summary prints what the worker has done.
func (w *worker) summary(took time.Duration, out io.Writer) {
	t, n := &w.tally, w.coord.Status().Counters
	fmt.Fprintf(out, "summary: batches=%d groups=%d logs=%d bytes=%d duration=%v retries=%d poison=%d gaps=%d leases_lost=%d handovers=%d",
		t.batches.Load(), t.groups.Load(), t.logs.Load(), t.bytes.Load(), took.Round(time.Millisecond),
		t.retries.Load(), n.Poison, n.Gaps, n.LeasesLost, t.handovers.Load())
	if longest := t.waits.max(); longest > 0 {
		fmt.Fprintf(out, " wait_p50=%v wait_p99=%v wait_max=%v",
			short(t.waits.quantile(0.5)), short(t.waits.quantile(0.99)), short(longest))
	}
	fmt.Fprintln(out)
}

// short rounds a wait to what is worth showing.
func short(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }

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
	states := map[coordinator.ShardState]int{}
	troubled, lag := 0, time.Duration(0)
	var trouble error // one of them
	for _, sh := range s.Shards {
		states[sh.State]++
		if err := sh.Progress.Trouble; err != nil {
			troubled++
			trouble = err
		}
		lag = max(lag, sh.Progress.Lag)
	}
	fmt.Fprintf(out, "status: after=%v state=%v shards=%d draining=%d halted=%d complete=%d stuck=%d troubled=%d lag_max=%v batches=%d logs=%d bytes=%d retries=%d handovers=%d",
		took.Round(time.Millisecond), s.State, len(s.Shards), states[coordinator.ShardDraining], states[coordinator.ShardHalted],
		states[coordinator.ShardComplete], states[coordinator.ShardStuck], troubled,
		lag.Round(time.Millisecond), t.batches.Load(), t.logs.Load(), t.bytes.Load(), t.retries.Load(), t.handovers.Load())
	if trouble != nil {
		fmt.Fprintf(out, " trouble=%q", trouble)
	}
	if s.LastError != nil {
		fmt.Fprintf(out, " error=%q", s.LastError)
	}
	fmt.Fprintln(out)
}
