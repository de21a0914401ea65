package group

import "time"

// Generation is that of Snapshot, for tests that ask often.
func (g *Group) Generation() uint64 { return g.generation }

// Expiry is that of State.
func (g *Group) Expiry() time.Duration { return g.expiry() }
