package shardset

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// rig drives one Tracker through a test: times are "1.5s" after the start, shards
// are "1@3" for shard 1 of epoch 3, plans are one line of text. After each event it
// calls Check.
type rig struct {
	t     *testing.T
	tr    *Tracker
	start time.Time
	ttl   time.Duration
	gen   uint64 // of the next answer
	seq   uint64 // of the newest heartbeat
}

// newRig has a lease that ends 8.9s after a heartbeat left: 10s less Margin(10s).
func newRig(t *testing.T, change ...func(*TrackerConfig)) *rig {
	cfg := TrackerConfig{
		Instance: 7,
		Interval: 2 * time.Second, Fast: 200 * time.Millisecond,
		DrainTimeout: 3 * time.Second, StuckAfter: time.Second, RestartPause: time.Second,
		CanLeave: true,
	}
	for _, f := range change {
		f(&cfg)
	}
	return &rig{t: t, tr: NewTracker(cfg), start: time.Now(), ttl: 10 * time.Second}
}

func firm(cfg *TrackerConfig) { cfg.FirmInterval = true }

func cannotLeave(cfg *TrackerConfig) { cfg.CanLeave = false }

func (r *rig) at(s string) time.Time {
	r.t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.start.Add(d)
}

// beat sends a heartbeat that should list these shards.
func (r *rig) beat(at, held string) Heartbeat {
	r.t.Helper()
	rep := r.tr.Beat(r.at(at))
	r.seq = rep.Seq
	if got := grantsText(rep.Held); got != held {
		r.t.Errorf("heartbeat %d at %s lists %q, want %q", rep.Seq, at, got, held)
	}
	return rep
}

// answer answers the newest heartbeat with these grants.
func (r *rig) answer(at, grants, plan string) Plan {
	r.t.Helper()
	p, err := r.accept(at, r.seq, grants)
	if err != nil {
		r.t.Errorf("the answer %q at %s was refused: %v", grants, at, err)
	}
	return r.plan("answer "+grants, at, p, plan)
}

func (r *rig) accept(at string, seq uint64, grants string) (Plan, error) {
	r.t.Helper()
	return r.tr.Accepted(r.at(at), seq, Answer{Grants: parseGrants(r.t, grants), TTL: r.ttl, Generation: r.gen})
}

// join is the shortest way to hold these shards: a heartbeat at 0s, its answer at 0.1s.
func (r *rig) join(grants string) {
	r.t.Helper()
	r.beat("0s", "")
	if p, err := r.accept("0.1s", r.seq, grants); err != nil || len(p.Start) != len(strings.Fields(grants)) {
		r.t.Fatalf("joining with %q planned %q, %v", grants, actions(p), err)
	}
}

func (r *rig) tick(at, plan string) Plan {
	r.t.Helper()
	return r.plan("tick", at, r.tr.Tick(r.at(at)), plan)
}

func (r *rig) returned(at, id string, o Outcome, plan string) Plan {
	r.t.Helper()
	return r.plan(fmt.Sprintf("%s returned %s", id, o), at, r.tr.Returned(r.at(at), parseID(r.t, id), o), plan)
}

func (r *rig) leave(at, plan string) Plan {
	r.t.Helper()
	return r.plan("leave", at, r.tr.Leave(r.at(at)), plan)
}

func (r *rig) plan(event, at string, p Plan, want string) Plan {
	r.t.Helper()
	if got := actions(p); got != want {
		r.t.Errorf("%s at %s plans %q, want %q", event, at, got, want)
	}
	if err := r.tr.Check(); err != nil {
		r.t.Errorf("after %s at %s: %v", event, at, err)
	}
	return p
}

// states checks what the Tracker says of every shard: "1 held, 2 draining revoked".
func (r *rig) states(want string) {
	r.t.Helper()
	if got := statesText(r.tr); got != want {
		r.t.Errorf("the shards are %q, want %q", got, want)
	}
}

// when checks a moment that the Tracker named; "never" is the zero time.
func (r *rig) when(what string, got time.Time, want string) {
	r.t.Helper()
	if want == "never" && got.IsZero() {
		return
	}
	if want == "never" || !got.Equal(r.at(want)) {
		r.t.Errorf("%s is at %v after the start, want %s", what, got.Sub(r.start), want)
	}
}

// actions writes what a plan does, in the order in which it is to be obeyed. It
// leaves out NotAfter and WakeAt, which few tests are about.
func actions(p Plan) string {
	var parts []string
	for _, s := range p.Cancel {
		parts = append(parts, fmt.Sprintf("cancel %s@%s %s", s.ID, epochText(s.Epoch), s.Cause))
	}
	if p.LeaseLost {
		parts = append(parts, "lease lost")
	}
	for _, s := range p.Revoke {
		parts = append(parts, fmt.Sprintf("revoke %s@%s %s", s.ID, epochText(s.Epoch), s.Cause))
	}
	for _, l := range p.Start {
		parts = append(parts, fmt.Sprintf("start %s@%s", l.ID, epochText(l.Epoch)))
	}
	for _, id := range p.StillGranted {
		parts = append(parts, fmt.Sprintf("still granted %s", id))
	}
	for _, id := range p.Stuck {
		parts = append(parts, fmt.Sprintf("stuck %s", id))
	}
	if p.Beat {
		parts = append(parts, "beat")
	}
	if p.Left {
		parts = append(parts, "left")
	}
	if p.Complete {
		parts = append(parts, "complete")
	}
	return strings.Join(parts, ", ")
}

func statesText(tr *Tracker) string {
	var parts []string
	for _, s := range tr.Shards() {
		text := fmt.Sprintf("%s %s", s.ID, s.State)
		if s.Cause != 0 {
			text += " " + s.Cause.String()
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// epochText shows epochs that the Tracker made from the clock as "clock".
func epochText(e uint64) string {
	if e > 1e15 {
		return "clock"
	}
	return strconv.FormatUint(e, 10)
}

func grantsText(grants []Grant) string {
	var parts []string
	for _, g := range grants {
		parts = append(parts, fmt.Sprintf("%s@%d", g.ID, g.Epoch))
	}
	return strings.Join(parts, " ")
}

func parseGrants(t *testing.T, s string) []Grant {
	t.Helper()
	var out []Grant
	for _, word := range strings.Fields(s) {
		id, epoch, found := strings.Cut(word, "@")
		g := Grant{ID: parseID(t, id)}
		if found {
			n, err := strconv.ParseUint(epoch, 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			g.Epoch = n
		}
		out = append(out, g)
	}
	return out
}

func parseID(t *testing.T, s string) ID {
	t.Helper()
	id, err := ParseID(s)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
