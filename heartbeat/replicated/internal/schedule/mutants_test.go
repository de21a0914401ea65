package schedule

import (
	"strings"
	"testing"
	"time"
)

// mutant is a rule that the simulation breaks, in the store, in the shell around a Scheduler,
// or in a Scheduler's state. Production code has no hook for it.
type mutant uint8

const (
	noMutant mutant = iota
	blindTombstones
	blindDocument
	blindDeletes
	conflictUnread
	conflictUntold
	neverWakes
	deafMembers
	blindProbes
	leaseFromReceipt
	ranksIgnored
	allWatch
	keepsReleased
	neverLate
)

func (m mutant) String() string {
	return [...]string{"none", "tombstones look at no revision", "steps look at no revision", "deletes look at no revision",
		"no read after a conflict", "a conflicting tombstone is not told", "no wake-ups", "members are not woken",
		"probes find nothing", "lease counted from receipt", "all that watch have the first rank",
		"all processes watch all records", "answers have what was released", "lateness is not noticed"}[m]
}

// before changes a Scheduler before an event.
func (m mutant) before(p *proc) {
	switch m {
	case ranksIgnored:
		if p.s.role.watch {
			p.s.role.rank = 0
		}
	case allWatch:
		p.s.role.until = p.clock().Add(time.Hour)
	case neverLate:
		p.s.wakeAt = time.Time{}
	}
}

// mutantSeeds bounds the search for a seed in which a mutant shows.
const mutantSeeds = 60

// TestMutantsAreCaught breaks one rule after the other and expects the simulation to see the
// harm that the rule prevents.
func TestMutantsAreCaught(t *testing.T) {
	for m, harm := range map[mutant]string{
		blindTombstones:  "was expired",
		blindDocument:    "went back",
		blindDeletes:     "was deleted",
		conflictUnread:   "conflict",
		conflictUntold:   "conflict",
		neverWakes:       "bound",
		deafMembers:      "after a join",
		blindProbes:      "have died",
		leaseFromReceipt: "lease runs",
		ranksIgnored:     "conflicts",
		allWatch:         "watches of records",
		keepsReleased:    "two owners",
		neverLate:        "tombstones conflict",
	} {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(mutantSeeds) {
				c := scenario{seed: seed, procs: 4, mutant: m, freezes: m == neverLate}
				if m == blindProbes || m == allWatch || m == ranksIgnored || seed%2 == 1 && m != neverLate {
					c.procs = 12
				}
				if err := simulate(t, c); err != nil {
					if !strings.Contains(err.Error(), harm) {
						t.Logf("seed %d: %v", seed, err)
						continue
					}
					t.Logf("caught by seed %d: %v", seed, err)
					return
				}
			}
			t.Errorf("%s survived %d seeds without %q", m, mutantSeeds, harm)
		})
	}
}
