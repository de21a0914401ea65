package replicatedtest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// process is the processor of a shard. It processes one record after the other from the
// last commit on. It commits every CommitEvery records, and when the shard is revoked.
func (m *member) process(ctx context.Context, s *processor.Shard) error {
	next := uint64(0)
	if p, ok := s.Resume(); ok {
		n, err := number(p)
		if err != nil {
			return err
		}
		next = n
	}
	instance := m.instance(s.Lease())
	m.note(eventStarted, s.Lease(), instance, next)
	m.crowd.begins(m, s.ID())
	defer m.crowd.ends(m, s.ID())
	defer func() { m.note(eventReturned, s.Lease(), instance, next) }()
	for n := 1; m.another(ctx, s); n++ {
		m.note(eventProcessed, s.Lease(), instance, next)
		next++
		if n%m.crowd.cfg.CommitEvery != 0 {
			continue
		}
		if err := m.commit(ctx, s, next); err != nil {
			return err
		}
	}
	if ctx.Err() != nil || m.killed.Load() {
		return nil
	}
	return m.commit(ctx, s, next)
}

// another waits for the time of one record, and reports whether to process that record.
func (m *member) another(ctx context.Context, s *processor.Shard) bool {
	t := time.NewTimer(m.crowd.cfg.Record)
	defer t.Stop()
	select {
	case <-t.C:
		return s.Check() == nil && !m.killed.Load()
	case <-s.Revoked():
	case <-ctx.Done():
	}
	return false
}

// commit commits a position. It ignores an error after which a later commit may succeed.
func (m *member) commit(ctx context.Context, s *processor.Shard, next uint64) error {
	if next == 0 {
		return nil
	}
	err := s.Commit(ctx, processor.Position(strconv.FormatUint(next, 10)))
	if errors.Is(err, processor.ErrNotOwner) || errors.Is(err, processor.ErrLeaseLost) {
		return err
	}
	return nil
}

// number reads a position that commit wrote.
func number(p processor.Position) (uint64, error) {
	n, err := strconv.ParseUint(string(p), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("replicatedtest: position %q was never committed", p)
	}
	return n, nil
}

// begins notes that a member's processor runs a shard.
func (c *Crowd) begins(m *member, id shardset.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.owners[id] = owner{member: m}
}

// ends notes that a member's processor has returned.
func (c *Crowd) ends(m *member, id shardset.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owners[id].member == m {
		delete(c.owners, id)
	}
}

// committed notes that the store has accepted a commit of a member.
func (c *Crowd) committed(m *member, id shardset.ID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.owners[id]; o.member == m {
		c.owners[id] = owner{member: m, committed: time.Now()}
	}
}
