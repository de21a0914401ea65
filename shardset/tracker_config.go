package shardset

import "time"

// TrackerConfig configures a Tracker. NewTracker does not validate it; coordinator.New does.
type TrackerConfig struct {
	// Member and Weight go into each Heartbeat.
	Member string
	Weight int
	// Instance is the number of this run of the member. A later run under the same name needs
	// a larger number. The Tracker adds one each time a lease is lost. Zero means that the
	// service has no instances.
	Instance uint64
	// Interval is the time from one regular heartbeat to the next, more than zero. If fewer than
	// MinHeartbeats fit into the group's TTL, the Tracker shortens it: see Tracker.Interval.
	Interval time.Duration
	// FirmInterval says that the user set Interval. If Interval is too long for the group's TTL,
	// the Tracker then refuses the first answer. If the TTL becomes too short later, the Tracker
	// shortens the interval all the same, because a change of the group caused this.
	FirmInterval bool
	// FollowTTL says that Interval is the service's advice for TTL. If the group has a different
	// TTL, the Tracker changes the interval in proportion.
	FollowTTL bool
	// TTL is the assumed TTL of the group before the first answer. Zero means MinHeartbeats
	// times Interval.
	TTL time.Duration
	// Fast is the interval for a while after the set of shards has changed. Zero means Interval.
	Fast time.Duration
	// Grid makes the regular heartbeats of all members leave at nearly the same moments. This
	// makes takeovers faster with a service that does not push (grid.go).
	Grid bool
	// DrainTimeout is how long a revoked processor may continue before its context is
	// cancelled. Zero gives it no time.
	DrainTimeout time.Duration
	// StuckAfter is how long a processor may ignore its cancelled context before Plan.Stuck
	// lists it. Zero gives it no time.
	StuckAfter time.Duration
	// RestartPause is the pause before a shard starts again after its processor failed or was
	// fenced. Zero means no pause.
	RestartPause time.Duration
	// CanLeave says that the service has a leave call. Without one, a leaving member must let
	// its lease expire, so it sends only the heartbeats that its drain needs.
	CanLeave bool
	// Finite says that the work has an end. The Tracker then sets Plan.Complete when this
	// member has no work left.
	Finite bool
	// Completion says that the service sets Answer.Complete when all work of the group is
	// complete. Without it, a member of a finite run waits for one TTL before it leaves.
	Completion bool
}
