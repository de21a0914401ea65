package heartbeattest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// kit is what a case works with: the service, the times that go with its TTL, and
// the ledger of all members.
type kit struct {
	testing.TB
	Service
	info   heartbeat.Info
	first  endpoint // for calls that belong to no member
	ledger *ledger
	list   []shardset.Shard
	ids    []shardset.ID
	known  map[shardset.ID]bool // ids, and those that were taken out

	ttl      time.Duration
	slack    time.Duration
	step     time.Duration // between two heartbeats of a member
	try      time.Duration // for one call
	patience time.Duration // for what needs heartbeats only, and no lease to end

	instances atomic.Uint64
}

// endpoint is what one process has of the service.
type endpoint struct {
	client heartbeat.Client
	store  processor.Checkpoints
}

func newKit(t testing.TB, cfg Config, s Service, c testCase) *kit {
	k := &kit{
		TB: t, Service: s, list: c.shards, known: map[shardset.ID]bool{},
		ttl: cfg.TTL, slack: cfg.Slack, step: cfg.TTL / 20, try: cfg.TTL / 3, patience: cfg.TTL/2 + cfg.Slack,
	}
	for _, sh := range c.shards {
		k.ids = append(k.ids, sh.ID)
		k.known[sh.ID] = true
	}
	first, err := k.dial()
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	k.first, k.info = first, first.client.Info()
	k.ledger = newLedger(t, k.info.Guarantees.Epochs)
	return k
}

func (k *kit) dial() (endpoint, error) {
	c, s, err := k.Dial()
	return endpoint{client: c, store: s}, err
}

// fences reports whether there is a store whose fence can be tried. A service may keep
// no checkpoints, and one that promises a fence without them fails in Info/abilities.
func (k *kit) fences() bool { return k.first.store != nil && k.info.Guarantees.FencedCommit }

// expiry bounds what needs a lease to end, counted from its last heartbeat.
func (k *kit) expiry() time.Duration { return k.ttl + k.slack + 2*k.step }

// context bounds one call.
func (k *kit) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(k.Context(), k.try)
}

// until has the members beat, one after the other and again and again, until cond is
// true. It fails the test when that takes longer than limit.
func (k *kit) until(limit time.Duration, what string, cond func() bool, beating ...*member) {
	k.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(k.step) {
		for _, m := range beating {
			m.beat()
		}
		if cond() {
			return
		}
		if !time.Now().Before(end) {
			k.Fatalf("it is not true after %v that %s; %s", limit, what, describe(beating))
		}
	}
}

// during has the members beat for d, and fails the test unless cond is true all the
// time.
func (k *kit) during(d time.Duration, what string, cond func() bool, beating ...*member) {
	k.Helper()
	start := time.Now()
	for end := start.Add(d); time.Now().Before(end); time.Sleep(k.step) {
		for _, m := range beating {
			m.beat()
		}
		if !cond() {
			k.Fatalf("it is no longer true after %v that %s; %s", time.Since(start), what, describe(beating))
		}
	}
}

// answered has a member beat until it is answered.
func (k *kit) answered(m *member) {
	k.Helper()
	k.until(k.patience, m.name+" was answered", func() bool { return m.err == nil }, m)
}

func describe(members []*member) string {
	parts := make([]string, len(members))
	for i, m := range members {
		parts[i] = m.String()
	}
	return strings.Join(parts, "; ")
}

// retry repeats a call until its error is nil or an answer in itself: what may pass,
// a conflict in a replicated store for instance, is no fault of the service.
func (k *kit) retry(call func(ctx context.Context) error) error {
	for end := time.Now().Add(k.patience); ; time.Sleep(k.step / 10) {
		ctx, cancel := k.context()
		err := call(ctx)
		cancel()
		if !transient(err) || !time.Now().Before(end) {
			return err
		}
	}
}

// transient reports whether an error says nothing about the member.
func transient(err error) bool {
	for _, final := range []error{
		nil, heartbeat.ErrEvicted, heartbeat.ErrReplaced, heartbeat.ErrStaleHeartbeat, processor.ErrNotOwner,
	} {
		if errors.Is(err, final) {
			return false
		}
	}
	return heartbeat.Retryable(err)
}

// settled is a condition: the members hold all shards between them, each within one
// of the others, and none is on its way.
func (k *kit) settled(members ...*member) func() bool {
	return func() bool {
		n, least, most := 0, len(k.ids), 0
		for _, m := range members {
			running := len(m.running())
			if running != len(m.listed()) {
				return false
			}
			n, least, most = n+running, min(least, running), max(most, running)
		}
		return n == len(k.ids) && most-least <= 1
	}
}

// holding is a condition: the member runs exactly these shards.
func holding(m *member, ids ...shardset.ID) func() bool {
	want := setOf(ids...)
	return func() bool { return m.running().equal(want) }
}

// together makes members of these names and has them beat until they have shared the
// shards out.
func (k *kit) together(names ...string) []*member {
	k.Helper()
	members := make([]*member, len(names))
	for i, name := range names {
		members[i] = k.member(name)
	}
	k.until(2*k.patience, fmt.Sprintf("%s have shared out %d shards", strings.Join(names, " and "), len(k.ids)),
		k.settled(members...), members...)
	return members
}

// pair is together for the two of whom most cases tell.
func (k *kit) pair() (a, b *member) {
	k.Helper()
	members := k.together("a", "b")
	return members[0], members[1]
}
