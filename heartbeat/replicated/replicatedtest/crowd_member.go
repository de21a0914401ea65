package replicatedtest

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// member is one process of a Crowd.
type member struct {
	crowd  *Crowd
	name   string
	conn   Connection
	gate   *gate
	cancel context.CancelFunc
	killed atomic.Bool

	// Used by the goroutine of the test only.
	leaving bool
	isCut   bool

	mu        sync.Mutex                // guards instances
	instances map[shardset.Lease]uint64 // by grant, with NotAfter zero: the instance that loaded its checkpoint
}

// start starts a member.
func (c *Crowd) start(name string) (*member, error) {
	conn, err := c.cfg.Dial(name)
	if err != nil {
		return nil, err
	}
	m := &member{crowd: c, name: name, conn: conn, instances: map[shardset.Lease]uint64{}}
	m.gate = newGate(conn.Group)
	co, err := coordinator.New(coordinator.Config{
		Group: &client{gate: m.gate, member: m}, Processor: processor.FromFunc(m.process), Member: name,
		Interval: c.cfg.Interval, DrainTimeout: c.cfg.TTL, CommitTimeout: c.cfg.TTL / 2,
		CreateGroup: true, Logger: c.cfg.Logger,
		Restart: processor.Backoff{Min: c.cfg.Interval / 10, Max: c.cfg.Interval},
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	c.all.Go(func() { m.run(ctx, co) })
	return m, nil
}

// run is the member's goroutine. leave and kill end it, and Crowd.stop waits for it.
func (m *member) run(ctx context.Context, co *coordinator.Coordinator) {
	defer m.cancel()
	if m.conn.Close != nil {
		defer m.conn.Close()
	}
	err := co.Run(ctx)
	if err != nil && !m.killed.Load() {
		m.crowd.Errorf("member %q ended with: %v", m.name, err)
	}
}

func (m *member) leave() {
	m.leaving = true
	m.cancel()
}

func (m *member) kill() {
	m.killed.Store(true)
	m.cut(true)
	m.leave()
}

// cut cuts the member off, or connects it again.
func (m *member) cut(cut bool) {
	m.isCut = cut
	if m.conn.Cut != nil {
		m.conn.Cut(cut)
		return
	}
	m.gate.set(cut)
}

// granted notes which instance has loaded the checkpoint of a grant.
func (m *member) granted(o processor.Owner) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.instances[shardset.Lease{ID: o.Lease.ID, Epoch: o.Lease.Epoch}] = o.Instance
}

func (m *member) instance(l shardset.Lease) uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.instances[shardset.Lease{ID: l.ID, Epoch: l.Epoch}]
}

// note notes an event of a grant, unless the process was killed.
func (m *member) note(kind eventKind, l shardset.Lease, instance, position uint64) {
	if m.killed.Load() {
		return
	}
	m.crowd.ledger.note(event{
		Kind: kind, At: time.Now(), Member: m.name, Instance: instance,
		Shard: l.ID.String(), Epoch: l.Epoch, NotAfter: l.NotAfter, Position: position,
	})
}

// client is the group as the member's coordinator sees it. It is behind the gate and
// notes the checkpoints.
type client struct {
	*gate
	member *member
}

func (c *client) Load(ctx context.Context, o processor.Owner) (processor.Position, bool, error) {
	p, ok, err := c.gate.Load(ctx, o)
	if err == nil {
		c.member.granted(o)
	}
	return p, ok, err
}

func (c *client) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	err := c.gate.Save(ctx, o, p)
	n, bad := number(p)
	if bad != nil {
		return bad
	}
	if err == nil {
		c.member.note(eventCommitted, o.Lease, o.Instance, n)
		c.member.crowd.committed(c.member, o.Lease.ID)
	}
	return err
}
