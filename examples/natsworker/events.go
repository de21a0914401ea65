package main

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
)

// eventLine is a line of -events. The times are those of the events, by this machine's
// clock:
//
//	heartbeat   a heartbeat was answered; at is when it left
//	started     the shard's processor begins, from the position
//	stopped     it has returned, and its last commit is decided
//	cancelled   it was told to stop at once: the error says why
//	commit      the position is durable, or not: the error says why
type eventLine struct {
	Event    string             `json:"event"`
	At       time.Time          `json:"at"`
	Member   string             `json:"member"`
	Shard    int                `json:"shard"`
	Epoch    uint64             `json:"epoch"`
	Position processor.Position `json:"position,omitempty"`
	Error    string             `json:"error,omitempty"`
}

// hooks count, and print if that was asked for.
func (w *worker) hooks() coordinator.Hooks {
	h := coordinator.Hooks{Draining: w.draining}
	if !w.o.events {
		return h
	}
	h.Heartbeat = func(e coordinator.HeartbeatEvent) {
		if e.Err == nil {
			w.event(eventLine{Event: "heartbeat", At: e.Sent})
		}
	}
	shard := func(event string, e coordinator.ShardEvent) {
		w.event(eventLine{Event: event, At: e.At, Shard: e.ID.Number, Epoch: e.Epoch, Position: e.Resume, Error: reason(e.Err)})
	}
	h.Started = func(e coordinator.ShardEvent) { shard("started", e) }
	h.Stopped = func(e coordinator.ShardEvent) { shard("stopped", e) }
	h.Cancelled = func(e coordinator.ShardEvent) { shard("cancelled", e) }
	h.Commit = func(e coordinator.CommitEvent) {
		w.event(eventLine{Event: "commit", At: e.At, Shard: e.Lease.ID.Number, Epoch: e.Lease.Epoch, Position: e.Position, Error: reason(e.Err)})
	}
	return h
}

// event prints a line. Hooks run on a goroutine of their own, so this may wait.
func (w *worker) event(e eventLine) {
	e.At, e.Member = e.At.UTC(), w.o.member
	always := func() error { return nil }
	if err := w.lines.write(context.Background(), appendLine(nil, e), always); err != nil {
		w.log.Warn("an event was not printed", zap.Error(err))
	}
}

func reason(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
