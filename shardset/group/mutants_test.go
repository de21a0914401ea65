package group_test

import (
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// mutant is a rule of the protocol that the simulation breaks, at the edge between
// Tracker and Group. Production code has no hook for it.
type mutant uint8

const (
	noMutant mutant = iota
	fromReceipt
	ignoreSeq
	newestGeneration
	dropDraining
	keepInstance
	noLatch
	stripEpochs
	heldIsDone
	mutants
)

func (m mutant) String() string {
	return [...]string{"none", "lease counted from receipt", "sequence numbers ignored", "release by bare omission",
		"draining shards not reported", "instance kept after a lapse", "expiry not latched", "epochs stripped",
		"all that is held reported as done"}[m]
}

// report is what leaves the member.
func (m mutant) report(p *proc, r shardset.Heartbeat) shardset.Heartbeat {
	switch m {
	case ignoreSeq:
		r.Seq = 0
	case keepInstance:
		r.Instance = p.instance
	case heldIsDone:
		r.Complete = nil
		for _, h := range r.Held {
			r.Complete = append(r.Complete, h.ID)
		}
	case dropDraining:
		var held []shardset.Grant
		for i, s := range p.tracker.Shards() {
			if s.State != shardset.StateDraining && len(r.Held) > 0 {
				held = append(held, r.Held[i])
			}
		}
		r.Held = held
	}
	return r
}

// arriving is what reaches the service.
func (m mutant) arriving(w *world, b shardset.Heartbeat) shardset.Heartbeat {
	if m == newestGeneration {
		b.Generation = w.group.Generation()
	}
	return b
}

// accepted is what the member does with an answer.
func (m mutant) accepted(p *proc, now time.Time, seq uint64, sentAt time.Time, a shardset.Answer) shardset.Plan {
	switch m {
	case fromReceipt:
		a.TTL += now.Sub(sentAt)
	case ignoreSeq:
		seq = p.seq
	case stripEpochs:
		bare := make([]shardset.Grant, len(a.Grants))
		for i, g := range a.Grants {
			bare[i].ID = g.ID
		}
		a.Grants = bare
	}
	until := p.notAfter
	plan, _ := p.tracker.Accepted(now, seq, a) // a stale answer is part of life
	if m == noLatch && plan.LeaseLost && !until.IsZero() {
		plan.LeaseLost, plan.Cancel = false, nil
		plan.NotAfter = sentAt.Add(a.TTL - shardset.Margin(a.TTL))
	}
	return plan
}

// token is what a commit carries.
func (m mutant) token(r *run, tok group.Token) group.Token {
	switch m {
	case keepInstance:
		tok.Instance = r.p.instance
	case stripEpochs:
		tok.Epoch = 0
	}
	return tok
}

// mutantSeeds bounds the search for a seed in which a mutant shows.
const mutantSeeds = 600

// TestMutantsAreCaught breaks one rule of the protocol after the other and expects
// the simulation to see the harm that the rule prevents. A harness that does not see
// it would prove nothing about the unbroken protocol either.
func TestMutantsAreCaught(t *testing.T) {
	for m, harm := range map[mutant]string{
		fromReceipt:  "two believers",
		ignoreSeq:    "two believers",
		dropDraining: "two believers",
		noLatch:      "false fencing", // the revived run is not the service's owner any more
		keepInstance: "goes back",
		stripEpochs:  "goes back",
		// As long as only the newest answer counts and heartbeats are numbered, this
		// rule is a second line of defence: what shows is a shard taken by mistake.
		newestGeneration: "by not listing it",
		heldIsDone:       "told that all is done",
	} {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(mutantSeeds) {
				if _, err := simulate(scenario{seed: seed + 1, faults: true, finite: m == heldIsDone, mutant: m, harm: harm}); err != nil {
					t.Logf("caught: %v", err)
					return
				}
			}
			t.Errorf("%s survived %d seeds without %q", m, mutantSeeds, harm)
		})
	}
}
