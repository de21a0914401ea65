package heartbeattest

import (
	"context"
	"errors"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// load reads a checkpoint as o.
func (m *member) load(o processor.Owner) (p processor.Position, found bool, err error) {
	err = m.k.retry(func(ctx context.Context) (err error) {
		p, found, err = m.store.Load(ctx, o)
		return err
	})
	return p, found, err
}

// save stores a checkpoint as o, which may be another owner than m.
func (m *member) save(o processor.Owner, p processor.Position) error {
	return m.k.retry(func(ctx context.Context) error {
		err := m.store.Save(ctx, o, p)
		m.k.ledger.saved(o, p, err)
		return err
	})
}

// commit stores a checkpoint of a shard that m runs, and fails the test if the store refuses it.
func (m *member) commit(id shardset.ID, p processor.Position) {
	m.k.Helper()
	if err := m.save(m.owner(id), p); err != nil {
		m.k.Errorf("%s commits %.60q to shard %s, which it holds under epoch %d: %v", m.name, p, id, m.owner(id).Lease.Epoch, err)
	}
}

// refused fails the test unless the store refuses to save a checkpoint as o.
func (m *member) refused(why string, o processor.Owner, p processor.Position) {
	m.k.Helper()
	if err := m.save(o, p); !errors.Is(err, processor.ErrNotOwner) {
		m.k.Errorf("%s: saving %q to shard %s as %s under epoch %d returned %v, want one that matches ErrNotOwner",
			why, p, o.Lease.ID, o.Member, o.Lease.Epoch, err)
	}
}

// stored fails the test unless the shard's position is want; empty means none. It loads the position
// as the owner.
func (m *member) stored(id shardset.ID, want processor.Position) {
	m.k.Helper()
	got, found, err := m.load(m.owner(id))
	if err != nil || got != want || found != (want != "") {
		m.k.Errorf("the position of shard %s is %.60q, %v, %v; want %.60q", id, got, found, err, want)
	}
}
