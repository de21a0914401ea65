package group

import (
	"fmt"
	"time"
)

// TTLChange is a change of the TTL that some members have not seen yet. Until all have, a lease lasts
// for the shortest TTL in use, and a member expires after the longest. So no member works longer
// than other processes wait, even if some of them still know the old TTL. The zero value means that
// there is no change.
type TTLChange struct {
	Since             uint64 // the generation of the change; zero: there is none
	Shortest, Longest time.Duration
}

// lease returns how long a heartbeat keeps a member's shards in a group with this TTL.
func (c TTLChange) lease(ttl time.Duration) time.Duration {
	if c.Since == 0 {
		return ttl
	}
	return c.Shortest
}

// expiry returns how long after its last heartbeat a member expires in a group with this TTL.
func (c TTLChange) expiry(ttl time.Duration) time.Duration {
	if c.Since == 0 {
		return ttl
	}
	return c.Longest
}

func checkTTL(ttl time.Duration) error {
	if ttl <= 0 || ttl > MaxTTL {
		return fmt.Errorf("group: TTL is %v; it must be positive, and at most %v", ttl, MaxTTL)
	}
	return nil
}

// SetTTL changes the TTL in two phases. In the first, answers have the shorter of the old and the new
// TTL, and members expire after the longer one. In the second, only the new TTL counts. It begins when
// every member has shown, by the generation of a heartbeat, that it has seen the change. A member that
// does not show it delays the second phase until it leaves or expires.
//
// SetTTL does not wait for members whose heartbeats carry no numbers, because they cannot show it. If
// there are no other members, the new TTL counts at once: a member expires one new TTL after its last
// heartbeat.
//
// SetTTL returns an error if the TTL is out of range.
func (g *Group) SetTTL(now time.Time, ttl time.Duration) error {
	if err := checkTTL(ttl); err != nil {
		return err
	}
	g.begin(now)
	defer g.end(now)
	if ttl == g.cfg.TTL {
		return nil
	}
	g.raiseGeneration()
	g.change = TTLChange{
		Since:    g.generation,
		Shortest: min(ttl, g.change.lease(g.cfg.TTL)), Longest: max(ttl, g.change.expiry(g.cfg.TTL)),
	}
	longer := ttl - g.cfg.TTL
	g.cfg.TTL = ttl
	g.changedForAll()
	if g.settleTTL(); g.change.Since != 0 {
		return nil
	}
	g.nextExpiry = time.Time{}
	for _, m := range g.sorted {
		if !m.former { // a former member has the TTL of the deleted group
			m.expires = m.expires.Add(longer)
		}
		if g.nextExpiry.IsZero() || m.expires.Before(g.nextExpiry) {
			g.nextExpiry = m.expires
		}
	}
	g.expireMembers(now)
	return nil
}

// settleTTL ends a change of the TTL when every member has seen it.
func (g *Group) settleTTL() {
	if g.change.Since == 0 {
		return
	}
	for _, m := range g.sorted {
		if !m.former && !m.unnumbered && m.seen < g.change.Since {
			return
		}
	}
	g.change = TTLChange{}
	g.changes++
	g.changedForAll()
}

// changedForAll lists every member for TakeChanged.
func (g *Group) changedForAll() {
	for _, m := range g.sorted {
		g.changedFor(m)
	}
}
