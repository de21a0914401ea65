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

// kit holds what a case needs: the service, the durations derived from its TTL, and the ledger of all
// members.
type kit struct {
	testing.TB
	Service
	info   heartbeat.Info
	first  endpoint // for calls that belong to no member
	ledger *ledger
	list   []shardset.Shard
	ids    []shardset.ID
	known  map[shardset.ID]bool // ids, and the shards that were removed

	ttl      time.Duration
	slack    time.Duration
	step     time.Duration // between two heartbeats of a member
	try      time.Duration // for one call
	patience time.Duration // for what needs heartbeats, but not the end of a lease

	instances atomic.Uint64
}

// endpoint is the client and the store of one process.
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

// fences reports whether there is a store that must fence. A service need not have a store; one that
// promises FencedCommit without a store fails in Info/abilities.
func (k *kit) fences() bool { return k.first.store != nil && k.info.Guarantees.FencedCommit }

// expiry returns the longest time from a member's last heartbeat until its shards have moved.
func (k *kit) expiry() time.Duration { return k.ttl + k.slack + 2*k.step }

// context returns the context for one call.
func (k *kit) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(k.Context(), k.try)
}

// until makes the members send heartbeats, in turn, until cond is true. It ends the test if that takes
// longer than limit.
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

// during makes the members send heartbeats for d. It ends the test if cond is false at any time.
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

// answered makes a member send heartbeats until it gets an answer.
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

// retry repeats a call until it succeeds or returns an error that is not transient. A transient error,
// for example a conflict in a replicated store, is not a fault of the service.
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

// transient reports whether a retry may succeed.
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

// settled is a condition: together the members hold all shards, their numbers differ by at most one, and
// no shard is draining.
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

// join starts members with these names, and makes them send heartbeats until they share all shards.
func (k *kit) join(names ...string) []*member {
	k.Helper()
	members := make([]*member, len(names))
	for i, name := range names {
		members[i] = k.member(name)
	}
	k.until(2*k.patience, fmt.Sprintf("%s have shared out %d shards", strings.Join(names, " and "), len(k.ids)),
		k.settled(members...), members...)
	return members
}

// joinPair joins the two members that most cases need.
func (k *kit) joinPair() (a, b *member) {
	k.Helper()
	members := k.join("a", "b")
	return members[0], members[1]
}
