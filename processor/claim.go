package processor

import "fmt"

// claim records which owner may save the position of a shard: the last one that loaded it. A
// delayed load of an older epoch does not replace the claim of a newer one.
type claim struct {
	taken bool
	owner Owner
}

// take makes o the owner that may save, unless a newer owner has the claim.
func (c *claim) take(o Owner) error {
	if c.taken && o.comparable(c.owner) && o.Lease.Epoch < c.owner.Lease.Epoch {
		return fmt.Errorf("shard %s was claimed under epoch %d, which is later than %d: %w",
			o.Lease.ID, c.owner.Lease.Epoch, o.Lease.Epoch, ErrNotOwner)
	}
	c.taken, c.owner = true, o
	return nil
}

// check returns nil if o may save. It compares tokens for equality, not for order: even if the
// service lost its epochs and counts from the start again, only one owner passes.
func (c *claim) check(o Owner) error {
	same := c.owner.Member == o.Member && c.owner.Instance == o.Instance && c.owner.Lease.Epoch == o.Lease.Epoch
	if !c.taken || !same {
		return fmt.Errorf("shard %s is not claimed by this owner: %w", o.Lease.ID, ErrNotOwner)
	}
	return nil
}

// comparable reports whether the epochs of o and other show which of the two is later.
func (o Owner) comparable(other Owner) bool {
	return o.Epochs && other.Epochs || o.Member == other.Member && o.Instance == other.Instance
}
