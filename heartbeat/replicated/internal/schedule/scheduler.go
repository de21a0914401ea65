package schedule

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
)

// Config configures a Scheduler.
type Config struct {
	// Group is the group's name, for errors.
	Group string
	// TTL is the TTL until the group's own TTL is known. It must be positive.
	TTL time.Duration
	// RecordClock reports whether the store is a replicated.RecordClock.
	RecordClock bool
	// Random returns a random number from 0 to n-1. It makes processes act at different times.
	Random func(n int64) int64
}

// Scheduler decides what one process does for a group. It is not safe for concurrent use: one
// goroutine owns it.
type Scheduler struct {
	cfg     Config
	replica *state.Replica
	fault   error  // why the newest document cannot be read; nil: it can
	faultOf uint64 // the revision of that document

	members map[string]*localMember
	watched map[string]bool // members to name in Plan.Wake when their answers may have changed
	claims  map[shardset.ID]Claim
	born    uint64 // Document.Born of the group to which the claims belong

	role     role
	document watch
	records  watch
	read     readState
	step     stepState
	expiry   expiryState
	probe    probeState
	cleanAt  time.Time // no orphaned record is deleted before this time
	shrinkAt time.Time

	wake    map[string]bool
	changed bool
	notices []Notice
	wakeAt  time.Time // of the last plan
}

// Plan is what the shell must do now. The shell does nothing else.
type Plan struct {
	// WatchDocument and WatchRecords report whether these watches must run. If one is true, the
	// shell starts that watch unless it runs. If one is false, the shell cancels that watch if it
	// runs.
	WatchDocument, WatchRecords bool
	// ReadDocument: read the document.
	ReadDocument bool
	// WriteDocument is a step to write. Nil: there is none.
	WriteDocument *Write
	// Expire are the tombstones to write over the records of expired members.
	Expire []state.Tombstone
	// Probe are the members whose records to read.
	Probe []string
	// AskClock: ask the store's clock which records are older than this; zero: do not.
	AskClock time.Duration
	// Delete are the orphaned records to delete.
	Delete []state.Tombstone
	// Wake are the members whose answer may have changed.
	Wake []string
	// DocumentChanged: the document has changed since the last plan.
	DocumentChanged bool
	// Notices are for the log.
	Notices []Notice
	// Timeout is how long each read and write of the plan may take.
	Timeout time.Duration
	// WakeAt is when to ask for the next plan if nothing happens; zero: never.
	WakeAt time.Time
}

// Write is data to write over one revision. If the key has another revision, the write must
// conflict.
type Write struct {
	Data []byte
	Over uint64
}

// New returns a Scheduler that knows nothing yet.
func New(cfg Config) *Scheduler {
	return &Scheduler{
		cfg: cfg, replica: state.NewReplica(), members: map[string]*localMember{}, watched: map[string]bool{},
		claims: map[shardset.ID]Claim{}, wake: map[string]bool{}, expiry: expiryState{writing: map[string]bool{}},
		probe: probeState{reading: map[string]bool{}},
	}
}

// Plan returns what the shell must do at now.
func (s *Scheduler) Plan(now time.Time) Plan {
	s.noteLate(now)
	ttl := s.replica.TTL()
	s.takeRole(now, ttl)
	p := Plan{Timeout: s.ttl() / 4}
	at := s.planWatches(now, &p)
	if ttl != 0 {
		at = soonest(at, s.planRead(now, ttl, &p))
		current := s.current(now)
		if current {
			at = soonest(at, s.planExpiry(now, ttl, &p))
		}
		at = soonest(at, s.planStep(now, &p))
		if current {
			at = soonest(at, s.planProbes(now, ttl, &p))
		}
		at = soonest(at, s.planDeletes(now, ttl, &p))
		at = soonest(at, s.shrink(now, ttl))
	}
	at = soonest(at, s.noticeWatches(now))
	p.Expire = s.takeTombstones()
	p.Wake, p.DocumentChanged, p.Notices = sortedKeys(s.wake), s.changed, s.notices
	s.changed, s.notices = false, nil
	clear(s.wake)
	p.WakeAt, s.wakeAt = at, at
	return p
}

// noteLate detects that this process runs long after its wake-up time: it was frozen. Heartbeats
// that members sent in that time may not have arrived yet, so it expires no member for a tenth of
// the TTL.
func (s *Scheduler) noteLate(now time.Time) {
	slack := s.replica.TTL() / 10
	if slack > 0 && !s.wakeAt.IsZero() && now.Sub(s.wakeAt) > slack {
		s.expiry.notBefore = now.Add(slack)
	}
}

// ttl is the group's TTL, or the configured one while the group's is not known.
func (s *Scheduler) ttl() time.Duration {
	if ttl := s.replica.TTL(); ttl > 0 {
		return ttl
	}
	return s.cfg.TTL
}

// current reports whether this process may expire members: it must have read the document within
// the last Expiry. Then a change of the TTL that it does not know is newer than any record that is
// old enough to expire. A process whose version is too old for the document expires no member.
func (s *Scheduler) current(now time.Time) bool {
	return now.Sub(s.read.currentAt) <= s.replica.Expiry() && !s.tooOld()
}

// pause returns the time to wait before a retry, after so many failures in a row. It is short
// enough for many tries in one lease: around a twentieth of the TTL at the most.
func (s *Scheduler) pause(failures int) time.Duration {
	ttl := s.ttl()
	d := min(ttl/400<<min(failures-1, 10), ttl/20)
	return d/2 + s.upTo(d)
}

// jitter returns a random time around d, so that processes act at different times.
func (s *Scheduler) jitter(d time.Duration) time.Duration { return d*3/4 + s.upTo(d/2) }

// upTo returns a random time from zero to d.
func (s *Scheduler) upTo(d time.Duration) time.Duration {
	return time.Duration(s.cfg.Random(int64(d) + 1))
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// soonest returns the earlier of two times; zero means never.
func soonest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
