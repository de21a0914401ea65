package schedule

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
)

// Config is what a Scheduler is made with.
type Config struct {
	// Group is the group's name, for errors.
	Group string
	// TTL paces the process until the group's own TTL is known. Positive.
	TTL time.Duration
	// RecordClock says that the store knows by a clock of its own which records are old.
	RecordClock bool
	// Random returns a random number from 0 to n-1. It keeps processes from doing the same at
	// the same time.
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
	watched map[string]bool // names whose watchers are woken when their answer may differ
	claims  map[shardset.ID]Claim
	born    uint64 // of the group of the claims

	role     role
	document watch
	records  watch
	read     readState
	step     stepState
	expiry   expiryState
	probe    probeState
	cleanAt  time.Time // no orphaned record is deleted before
	shrinkAt time.Time

	wake    map[string]bool
	changed bool
	notices []Notice
	wakeAt  time.Time // of the last plan
}

// Plan is what the shell does now. A plan is complete: the shell adds nothing.
type Plan struct {
	// WatchDocument and WatchRecords say whether these watches run. The shell starts the one
	// that does not run, and cancels the one that does.
	WatchDocument, WatchRecords bool
	// ReadDocument: read the document.
	ReadDocument bool
	// WriteDocument is a step of the document; nil: there is none to make.
	WriteDocument *Write
	// Expire are the tombstones to write over the records of expired members.
	Expire []state.Tombstone
	// Probe are the members whose records are read.
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

// Write is data to be written over one revision and nothing else.
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

// Plan returns what is to be done at now.
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

// noteLate detects that this process ran long after its wake-up time, because it was frozen.
// Heartbeats that members sent in that time may not have arrived yet, so it expires no member for a
// tenth of the TTL.
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

// current reports whether this process may expire members. It has to have read the document
// within the time after which it does so: then a TTL that it does not know of came later
// than any record that it judges by. It does not judge in a group of a newer version.
func (s *Scheduler) current(now time.Time) bool {
	return now.Sub(s.read.currentAt) <= s.replica.Expiry() && !s.tooOld()
}

// pause is the time before something is tried again that failed this often in a row: up to
// a twentieth of the TTL, which leaves time for many tries in a lease.
func (s *Scheduler) pause(failures int) time.Duration {
	ttl := s.ttl()
	d := min(ttl/400<<min(failures-1, 10), ttl/20)
	return d/2 + s.upTo(d)
}

// jitter returns a time around d, so that processes do not do the same at the same time.
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
