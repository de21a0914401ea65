package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"golang.org/x/sync/errgroup"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/cli"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
	"github.com/rollcall-go/rollcall/shardset"
)

// crowd is very many members in this process. They are members to the last message: each
// has the tracker and the pacer that a coordinator has, and a record of its own in the
// group. What they do not have is processors, so that the group is measured and nothing
// else: a shard runs as soon as it is granted, and has stopped as soon as it is revoked.
type crowd struct {
	conns   []*nats.Conn
	clients []*replicated.Client
	members []*extra
	cancel  context.CancelFunc
	all     errgroup.Group
	ctx     context.Context
	beat    time.Duration // the members' interval

	beats  atomic.Int64 // heartbeats that were answered
	failed atomic.Int64
	reason atomic.Pointer[error] // why the first one did
	owners []atomic.Int32        // of each shard: the number of the member, from 1
	double atomic.Int64          // grants of a shard that somebody still ran
}

// sharedClients is how many connections and clients of the group the members of the drill
// scale share: as many as processes with 50 members each would have.
const sharedClients = 20

// newCrowd makes a crowd of nobody, for n shards, with so many connections and clients.
func (s *stage) newCrowd(n, clients int) (*crowd, error) {
	c := &crowd{owners: make([]atomic.Int32, n), beat: s.o.ttl / 4}
	c.ctx, c.cancel = context.WithCancel(s.ctx)
	log := "crowd"
	list := shardset.Range(log, n)
	for i := range clients {
		// Spread over the servers.
		servers := cli.Servers{URLs: s.nodes[i%len(s.nodes)].url()}
		nc, err := servers.Connect(fmt.Sprint("crowd ", i))
		if err != nil {
			return c, err
		}
		c.conns = append(c.conns, nc)
		client, err := natskv.New(natskv.Config{Conn: nc, Group: group, Replicas: 3, Shards: list, TTL: s.o.ttl})
		if err != nil {
			return c, err
		}
		c.clients = append(c.clients, client)
	}
	return c, c.prepare(s.ctx)
}

// prepare has a member come and go, so that the group and its buckets are there.
func (c *crowd) prepare(ctx context.Context) error {
	r := shardset.Heartbeat{Member: "first", Seq: 1, Instance: 1}
	a, err := c.clients[0].Beat(ctx, r)
	if err != nil {
		return err
	}
	r.Seq, r.Generation, r.Leaving = 2, a.Generation, true
	return c.clients[0].Leave(ctx, r)
}

// join starts more members.
func (c *crowd) join(n int) {
	for range n {
		number := len(c.members) + 1
		m := &extra{
			crowd: c, number: int32(number), name: fmt.Sprintf("m%04d", number),
			client: c.clients[number%len(c.clients)], poke: make(chan struct{}, 1),
		}
		m.tracker = shardset.NewTracker(shardset.TrackerConfig{
			Member: m.name, Instance: uint64(time.Now().UnixNano()), Interval: c.beat, Fast: c.beat / 10, CanLeave: true,
		})
		c.members = append(c.members, m)
		c.all.Go(func() error { return m.run(c.ctx) }) // until close
	}
}

// settled reports whether every shard has an owner, and all members have the same number,
// or one more.
func (c *crowd) settled() bool {
	counts := make([]int, len(c.members)+1)
	for i := range c.owners {
		counts[c.owners[i].Load()]++
	}
	least := len(c.owners) / len(c.members)
	for _, n := range counts[1:] {
		if n < least || n > least+1 {
			return false
		}
	}
	return counts[0] == 0
}

// close ends all members, without a word.
func (c *crowd) close() error {
	c.cancel()
	err := c.all.Wait()
	for _, client := range c.clients {
		client.Close()
	}
	for _, nc := range c.conns {
		nc.Close()
	}
	return err
}

// extra is a member of a crowd. Its goroutine owns the tracker and the pacer.
type extra struct {
	crowd  *crowd
	number int32
	name   string
	client *replicated.Client
	poke   chan struct{} // makes it send a heartbeat at once

	tracker *shardset.Tracker
	pacer   shardset.Pacer
}

// run sends heartbeats until ctx ends.
func (m *extra) run(ctx context.Context) error {
	wake, err := m.client.Watch(ctx, m.name)
	if err != nil {
		return err
	}
	now := time.Now()
	m.pacer.Answered(now, now) // the first heartbeat leaves at once
	timer := time.NewTimer(0)
	defer timer.Stop()
	push, poke := wake, m.poke
	for {
		timer.Reset(time.Until(m.pacer.Next()))
		select {
		case <-timer.C:
			m.beat(ctx)
			push, poke = wake, m.poke
			continue
		case _, ok := <-push:
			if !ok && ctx.Err() == nil {
				return fmt.Errorf("the watch of %s broke", m.name)
			}
		case <-poke:
		case <-ctx.Done():
			return nil
		}
		m.pacer.Wake(time.Now())
		push, poke = nil, nil // one heartbeat carries all news: later ones can wait in the channels
	}
}

// beat sends one heartbeat and applies what comes of it.
func (m *extra) beat(ctx context.Context) {
	m.pacer.Sent()
	r := m.tracker.Beat(time.Now())
	try, cancel := context.WithTimeout(ctx, m.crowd.beat/3)
	defer cancel()
	a, err := m.client.Beat(try, r)
	now := time.Now()
	if err != nil && ctx.Err() == nil && m.crowd.failed.Add(1) == 1 {
		m.crowd.reason.Store(&err)
	}
	if errors.Is(err, heartbeat.ErrEvicted) {
		m.applyPlan(now, m.tracker.Evicted(now, r.Seq))
		m.pacer.Rejoin(now, m.crowd.beat, 0, rand.Float64())
		return
	}
	var plan shardset.Plan
	if err != nil {
		plan = m.tracker.Tick(now)
	} else {
		m.crowd.beats.Add(1)
		plan, err = m.tracker.Accepted(now, r.Seq, a)
	}
	m.applyPlan(now, plan)
	if err != nil {
		m.pacer.Failed(now, m.crowd.beat, heartbeat.RetryAfter(err), rand.Float64())
		return
	}
	m.pacer.Answered(now, m.tracker.NextHeartbeat(now))
}

// applyPlan does what a plan says.
func (m *extra) applyPlan(now time.Time, p shardset.Plan) {
	owners := m.crowd.owners
	for _, stops := range [][]shardset.Stop{p.Cancel, p.Revoke} {
		for _, stop := range stops {
			owners[stop.ID.Number].CompareAndSwap(m.number, 0)
			p.Beat = m.tracker.Returned(now, stop.ID, shardset.OutcomeReleased).Beat || p.Beat
		}
	}
	for _, lease := range p.Start {
		if !owners[lease.ID.Number].CompareAndSwap(0, m.number) {
			m.crowd.double.Add(1)
		}
	}
	if p.Beat {
		m.pacer.Wake(now)
	}
}
