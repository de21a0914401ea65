package coordinator

import (
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// State is what a Coordinator is doing.
type State uint8

const (
	StateIdle    State = iota + 1 // Run was not called, or was called with a context that had ended
	StateJoining                  // no valid lease: not joined yet, or lost
	StateRunning                  // a member with a valid lease
	StateLeaving                  // draining before Run returns
	StateStopped                  // Run has returned
)

func (s State) String() string {
	switch s {
	case StateIdle:
		return "idle"
	case StateJoining:
		return "joining"
	case StateRunning:
		return "running"
	case StateLeaving:
		return "leaving"
	case StateStopped:
		return "stopped"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

// Status is a snapshot of a Coordinator. It shares nothing with it.
type Status struct {
	Group           string
	Guarantees      heartbeat.Guarantees // of the group and the store together
	Member          string
	Instance        uint64 // this run of the member; rises with each lost lease
	State           State
	Generation      uint64    // of the group, according to the newest answer
	LeaseUntil      time.Time // when the lease expires; zero without a lease
	LastHeartbeat   time.Time // when the newest answered heartbeat was sent; zero before the first
	HeartbeatErrors int       // heartbeats that failed since then
	LastError       error     // of the newest heartbeat, if it failed; or why Run ends
	// Degraded is why the worker is slower than it should be: the watch for pushes, or a part
	// of the group's client (heartbeat.Degradable), does not work. Nil: everything works.
	Degraded      error
	DegradedSince time.Time
	Shards        []ShardStatus
	Counters      Counters
}

// Counters count what happened since Run was called. String lists those that are not zero.
type Counters struct {
	Heartbeats       int64 // heartbeats that were answered
	HeartbeatsFailed int64 // heartbeats without an answer, or with an invalid one
	AnswersDropped   int64 // answers that came too late to count
	WatchesFailed    int64 // watches for pushes that broke or could not be made
	LeasesLost       int64 // leases that were lost; each was the lease of all shards
	Evictions        int64 // times that the service evicted the member, with or without a lease
	Assigned         int64 // grants for which a processor was launched
	Stopped          int64 // processors that returned
	DrainOverruns    int64 // drains that outlasted DrainTimeout
	Stuck            int64 // processors that ignored a cancelled context
	NoProgress       int64 // times that a processor made no progress for Config.NoProgressAfter
	Failures         int64 // attempts that ended in an error
	Panics           int64 // of these, panics
	Halted           int64 // shards that were halted; not counted in Failures
	Poison           int64 // parts of shards that were given up (Shard.ReportPoison)
	Gaps             int64 // parts of shards that were deleted (Shard.ReportGap)
	Commits          int64 // commits that succeeded
	CommitsFailed    int64 // commits that failed
	CommitsFenced    int64 // of these, refused because the shard has another owner
}

func (c Counters) String() string {
	var b strings.Builder
	v := reflect.ValueOf(c)
	for i := range v.NumField() {
		if n := v.Field(i).Int(); n != 0 {
			fmt.Fprintf(&b, ", %s %d", words(v.Type().Field(i).Name), n)
		}
	}
	if b.Len() == 0 {
		return "nothing happened"
	}
	return b.String()[len(", "):]
}

// words splits a name like LeasesLost into "leases lost".
func words(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}
