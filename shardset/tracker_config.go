package shardset

import "time"

// TrackerConfig is what a Tracker has to know before the first event.
type TrackerConfig struct {
	// Member and Weight are what each Heartbeat says of this member.
	Member string
	Weight int
	// Instance tells this run of the member from earlier ones under its name. A
	// later run needs a larger number; zero means that the service has none. The
	// Tracker adds one each time a lease is lost.
	Instance uint64
	// Interval is the time from one regular heartbeat to the next. If fewer than
	// MinHeartbeats fit into the group's TTL, the Tracker shortens it: see
	// Tracker.Interval.
	Interval time.Duration
	// FirmInterval says that the operator chose the Interval. The Tracker then refuses the
	// first answer of a group whose TTL it does not fit. If the TTL becomes too short
	// later, the Tracker shortens the Interval all the same, because somebody else changed
	// the group.
	FirmInterval bool
	// FollowTTL says that the Interval is what the service advises for TTL: it becomes
	// longer and shorter with the TTL of the group.
	FollowTTL bool
	// TTL is what the Tracker takes for the group's TTL before the first answer. Zero
	// means MinHeartbeats times Interval.
	TTL time.Duration
	// Fast is the interval while the set of shards is changing. Zero means Interval.
	Fast time.Duration
	// Grid makes the regular heartbeats of all members leave at nearly the same moments,
	// for a service that does not push: see grid.
	Grid bool
	// DrainTimeout is how long a revoked processor may go on before its context
	// is cancelled.
	DrainTimeout time.Duration
	// StuckAfter is how long a processor may ignore its cancelled context before
	// Plan.Stuck names it.
	StuckAfter time.Duration
	// RestartPause is the pause before a shard whose processor failed for good, or was
	// fenced, is started again.
	RestartPause time.Duration
	// CanLeave says that the service has a leave call. Without one every
	// heartbeat renews the lease, so a leaving member sends only those that its
	// drain needs.
	CanLeave bool
	// Finite says that the work has an end, and that this member leaves when its work is
	// complete: Plan.Complete.
	Finite bool
	// Completion says that the service reports when all work of the group is complete:
	// Answer.Complete. Without it a member of a finite run waits for one TTL.
	Completion bool
}
