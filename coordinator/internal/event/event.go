// Package event defines the events of a shard. The runner and the owner goroutine of the
// coordinator make events. The coordinator's recorder counts and logs each event, and calls
// its hook.
package event

import (
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Kind says what happened.
type Kind uint8

const (
	Assigned        Kind = iota + 1 // the group granted the shard
	AssignedAgain                   // the group still grants a closed shard that was processed to its end
	Started                         // Process is about to be called
	Failed                          // an attempt failed, or user code failed while it stopped
	Halted                          // an attempt ended with processor.Halt; the shard stays held, and idle
	Draining                        // the processor was asked to finish
	Cancelled                       // its context was cancelled
	Stopped                         // its goroutine has returned, and no commit is in flight
	Stuck                           // it ignores its cancelled context
	Stalled                         // it makes no progress
	Resumed                         // it makes progress again
	Committed                       // a commit succeeded
	CommitFailed                    // a commit failed
	CheckpointMoved                 // another process writes the shard's checkpoint
	PoisonGivenUp                   // the processor gave up a part of the shard
	GapSkipped                      // a part of the shard was deleted

	Kinds = iota // the number of kinds
)

// Event is one thing that happened to a shard.
type Event struct {
	Kind  Kind
	Lease shardset.Lease // as it was at the event
	// Err says why: Failed, Halted, Draining, Cancelled, Stalled, CommitFailed.
	Err error

	Resume  processor.Position // Started: from where Process continues
	Found   bool               // Started: there was a checkpoint
	Retry   time.Duration      // Failed: the pause before the next attempt; zero: there is none
	Outcome shardset.Outcome   // Stopped
	HeldAs  shardset.State     // Stopped: the state, if the member still holds the shard; zero: it does not
	Stuck   bool               // Draining, Cancelled: the processor was already stalled
	For     time.Duration      // Stalled, Resumed: how long there was no progress
	Stacks  bool               // Stalled: the stacks of its goroutines are due in the log
	Commit  processor.Commit   // Committed, CommitFailed
	Wrote   processor.Position // CheckpointMoved: what this process committed last
	Stored  processor.Position // CheckpointMoved: what is stored
	Poison  processor.Poison   // PoisonGivenUp
	Gap     processor.Gap      // GapSkipped
}
