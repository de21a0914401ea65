package processor

import "fmt"

// claim is the owner that may save to a shard: the last one that loaded. A load that was
// delayed does not replace the claim of a newer epoch.
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

// check returns nil if o may save. It compares tokens for equality, so that two owners never
// pass, even if the service lost its epochs and counts them again.
func (c *claim) check(o Owner) error {
	same := c.owner.Member == o.Member && c.owner.Instance == o.Instance && c.owner.Lease.Epoch == o.Lease.Epoch
	if !c.taken || !same {
		return fmt.Errorf("shard %s is not claimed by this owner: %w", o.Lease.ID, ErrNotOwner)
	}
	return nil
}

// comparable reports whether the epochs of two owners show which of them is later.
func (o Owner) comparable(other Owner) bool {
	return o.Epochs && other.Epochs || o.Member == other.Member && o.Instance == other.Instance
}
