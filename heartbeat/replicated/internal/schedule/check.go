package schedule

import (
	"errors"
	"fmt"
)

// Check returns an error if the Scheduler's state contradicts itself, which is a fault in this
// package. Tests call it after each plan.
func (s *Scheduler) Check() error {
	var faults []error
	wrong := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	for name, w := range map[string]*watch{"document": &s.document, "records": &s.records} {
		wrong(w.ending && !w.running, "the watch of the %s ends and does not run", name)
		wrong(w.shown && (w.ending || !w.running), "the watch of the %s counts and does not run", name)
	}
	wrong(s.step.underWay && s.step.failed, "a step is under way and has failed")
	wrong(s.role.watch && s.replica.TTL() == 0, "records are watched of no group")
	wrong(s.expiry.asking != questionNone && !s.cfg.RecordClock, "a clock was asked that the store has not")
	for _, t := range s.expiry.next {
		wrong(!s.expiry.writing[t.Member], "the tombstone of %s is not counted as under way", t.Member)
	}
	for name := range s.wake {
		wrong(!s.watched[name], "%s is woken and has no watcher", name)
	}
	for name, l := range s.members {
		wrong(name != l.name, "member %s is kept as %s", l.name, name)
		wrong(l.over && l.writing && l.revision != 0, "member %s is over and has a record", name)
	}
	for id, c := range s.claims {
		wrong(id != c.Token.ID, "the claim of shard %s is kept as that of %s", c.Token.ID, id)
	}
	return errors.Join(faults...)
}
