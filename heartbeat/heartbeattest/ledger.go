package heartbeattest

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// ledger records what all members of a case do. It fails the test if two members hold one shard under
// valid leases, if an epoch does not rise, or if an owner does not start from the last accepted
// checkpoint. It is safe for concurrent use.
type ledger struct {
	t      testing.TB
	epochs bool

	mu     sync.Mutex // guards everything below
	shards map[shardset.ID]*entry
	faults int
}

// entry is one shard in the ledger.
type entry struct {
	holder  *member // nil: no member runs it
	until   time.Time
	crashed bool   // the holder's process has ended
	loaded  bool   // the holder has loaded the position
	epoch   uint64 // of the newest run

	position processor.Position   // the last accepted
	maybe    []processor.Position // saved since then with an unknown result
}

func newLedger(t testing.TB, epochs bool) *ledger {
	return &ledger{t: t, epochs: epochs, shards: map[shardset.ID]*entry{}}
}

// fault fails the test. It reports the first five faults only.
func (l *ledger) fault(format string, args ...any) {
	l.t.Helper()
	if l.faults++; l.faults <= 5 {
		l.t.Errorf(format, args...)
	}
}

// entry returns the shard's entry. The caller holds mu.
func (l *ledger) entry(id shardset.ID) *entry {
	e := l.shards[id]
	if e == nil {
		e = &entry{}
		l.shards[id] = e
	}
	return e
}

// begin notes that m runs a shard.
func (l *ledger) begin(m *member, lease shardset.Lease) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if !lease.Valid(now) {
		return // the machine is slow, and the lease has ended already
	}
	e := l.entry(lease.ID)
	if o := e.holder; o != nil && o != m && now.Before(e.until) {
		l.fault("two owners: %s has shard %s under epoch %d, and %s holds it for another %v",
			m.name, lease.ID, lease.Epoch, o.name, e.until.Sub(now))
	}
	if l.epochs && lease.Epoch <= e.epoch {
		l.fault("shard %s was granted to %s under epoch %d after epoch %d", lease.ID, m.name, lease.Epoch, e.epoch)
	}
	e.holder, e.until, e.crashed, e.loaded = m, lease.NotAfter, false, false
	if l.epochs {
		e.epoch = lease.Epoch
	}
}

// extend notes that m's lease has a new end.
func (l *ledger) extend(m *member, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.shards {
		if e.holder == m {
			e.until = until
		}
	}
}

// end notes that m's processor of a shard has returned.
func (l *ledger) end(m *member, id shardset.ID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e := l.entry(id); e.holder == m {
		e.holder = nil
	}
}

// crashed notes that m's process has ended. Its shards may move only when its lease ends, or when a new
// process has its name.
func (l *ledger) crashed(m *member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.shards {
		if e.holder == m {
			e.crashed = true
		}
	}
}

// started notes that a new process of this name has started. The service may grant the shards of a
// crashed process of this name at once.
func (l *ledger) started(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.shards {
		if e.crashed && e.holder != nil && e.holder.name == name {
			e.holder = nil
		}
	}
}

// moved reports whether a member of another name holds the shard and has loaded the position. A store
// may accept the commits of the former owner until that load.
func (l *ledger) moved(name string, id shardset.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entry(id)
	return e.holder != nil && e.holder.name != name && e.loaded
}

// valid reports whether m holds the shard under a valid lease now.
func (l *ledger) valid(m *member, id shardset.ID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entry(id)
	return e.holder == m && time.Now().Before(e.until)
}

// saved notes the result of a save.
func (l *ledger) saved(o processor.Owner, p processor.Position, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entry(o.Lease.ID)
	switch {
	case err == nil:
		e.position, e.maybe = p, nil
	case !errors.Is(err, processor.ErrNotOwner):
		e.maybe = append(e.maybe, p)
	}
}

// loaded checks the position from which an owner starts.
func (l *ledger) loaded(m *member, lease shardset.Lease, p processor.Position, found bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !lease.Valid(time.Now()) {
		return
	}
	e := l.entry(lease.ID)
	e.loaded = e.loaded || e.holder == m
	if found != (p != "") || p != e.position && !slices.Contains(e.maybe, p) {
		l.fault("%s starts shard %s from %q (found: %v); the last accepted position is %q", m.name, lease.ID, p, found, e.position)
	}
}
