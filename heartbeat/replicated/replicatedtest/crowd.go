package replicatedtest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Group is what a member of a Crowd calls. *replicated.Client implements it, and so does
// *memory.Service.
type Group interface {
	heartbeat.Client
	heartbeat.Leaver
	heartbeat.Notifier
	heartbeat.Creator
	processor.Checkpoints
}

// Connection is the connection of one process to the group.
type Connection struct {
	Group Group
	// Cut stops all traffic between the process and the store (true), or lets it pass again.
	// A Proxy can do that. Nil: the Crowd stops the calls of Group instead, but not the
	// traffic of the goroutines inside Group.
	Cut func(cut bool)
	// Close is called after the member has ended. May be nil.
	Close func()
}

// CrowdConfig configures a Crowd. Dial, Shards and TTL are required.
type CrowdConfig struct {
	// Dial connects a process to the group. The name is that of its member.
	Dial func(name string) (Connection, error)
	// Shards are the shards of the group.
	Shards []shardset.Shard
	// TTL is the TTL of the group.
	TTL time.Duration
	// Interval is the members' heartbeat interval. Zero means a fifth of TTL.
	Interval time.Duration
	// Recovery is the time within which the crowd must settle after a fault. Zero means
	// two TTLs and two seconds.
	Recovery time.Duration
	// Record is the time that a processor takes for one record. Zero means 10 ms.
	Record time.Duration
	// CommitEvery is the number of records between two commits. Zero means 10.
	CommitEvery int
	// Logger takes the logs of all members. Nil: nothing is logged.
	Logger *zap.Logger
}

// Crowd is a group of coordinators in this process. Each member has its own connection. The
// processor of a shard processes numbered records and commits its position. A Crowd notes all
// that members do, and Report checks it. Only the goroutine of the test may call the methods
// of a Crowd.
type Crowd struct {
	testing.TB
	cfg    CrowdConfig
	ledger *ledger

	members []*member // in the order of their starts; former members too
	passed  int       // members that joined and left during a fault
	all     sync.WaitGroup

	mu     sync.Mutex // guards owners
	owners map[shardset.ID]owner
}

// owner is the member whose processor runs a shard.
type owner struct {
	member    *member
	committed time.Time // the newest accepted commit
}

// RunCrowd calls run with a crowd without members. When run ends, all members leave, and
// RunCrowd returns when they have ended. RunCrowd works in a synctest bubble.
func RunCrowd(t testing.TB, cfg CrowdConfig, run func(c *Crowd)) {
	c := newCrowd(t, cfg)
	defer c.stop()
	run(c)
}

func newCrowd(t testing.TB, cfg CrowdConfig) *Crowd {
	if cfg.Dial == nil || len(cfg.Shards) == 0 || cfg.TTL <= 0 {
		panic("replicatedtest: CrowdConfig.Dial, Shards and TTL are required")
	}
	if cfg.Interval <= 0 {
		cfg.Interval = cfg.TTL / 5
	}
	if cfg.Recovery <= 0 {
		cfg.Recovery = 2*cfg.TTL + 2*time.Second
	}
	if cfg.Record <= 0 {
		cfg.Record = 10 * time.Millisecond
	}
	if cfg.CommitEvery <= 0 {
		cfg.CommitEvery = 10
	}
	names := make([]string, len(cfg.Shards))
	for i, s := range cfg.Shards {
		id := s.ID
		names[i] = id.String()
	}
	return &Crowd{
		TB: t, cfg: cfg, ledger: &ledger{shards: names},
		owners: map[shardset.ID]owner{},
	}
}

// Report checks what the members have done so far.
func (c *Crowd) Report() Report { return c.ledger.report(time.Now()) }

// Join starts members. A name may be that of a member that left, was killed or is cut off.
func (c *Crowd) Join(names ...string) {
	c.Helper()
	for _, name := range names {
		c.ledger.note(event{Kind: eventJoined, At: time.Now(), Member: name})
		m, err := c.start(name)
		if err != nil {
			c.Fatalf("member %q cannot start: %v", name, err)
		}
		c.members = append(c.members, m)
	}
}

// Leave makes a member leave. It does not wait until the member has ended.
func (c *Crowd) Leave(name string) { c.running(name).leave() }

// Kill ends a member as SIGKILL does: it sends nothing more to the store, and its processors
// do nothing more.
func (c *Crowd) Kill(name string) {
	m := c.running(name)
	c.ledger.note(event{Kind: eventGone, At: time.Now(), Member: name})
	m.kill()
}

// Cut cuts a member off from the store. The member keeps running and works until its lease
// expires.
func (c *Crowd) Cut(name string) { c.running(name).cut(true) }

// Heal connects a member again that Cut has cut off.
func (c *Crowd) Heal(name string) { c.running(name).cut(false) }

// names returns the members that have not left and were not killed, the oldest first.
func (c *Crowd) names() []string {
	var names []string
	for _, m := range c.members {
		if !m.leaving {
			names = append(names, m.name)
		}
	}
	return names
}

// stop makes all members leave, and returns when they have ended.
func (c *Crowd) stop() {
	for _, name := range c.names() {
		c.Leave(name)
	}
	c.all.Wait()
}

// running returns the newest member of this name.
func (c *Crowd) running(name string) *member {
	c.Helper()
	for _, m := range slices.Backward(c.members) {
		if m.name == name && !m.leaving {
			return m
		}
	}
	c.Fatalf("there is no member %q", name)
	return nil
}

// Settle waits until three things are true: each shard has an owner that is not cut off; the
// members that are not cut off own equally many shards, or differ by one; and each owner has
// committed since the call. If that takes longer than within, the error says what is missing.
func (c *Crowd) Settle(within time.Duration) error {
	start := time.Now()
	for {
		missing := c.missing(start)
		if missing == nil {
			return nil
		}
		if time.Since(start) > within {
			return fmt.Errorf("the crowd has not settled after %v: %w", within, missing)
		}
		time.Sleep(min(c.cfg.Interval/20, 20*time.Millisecond))
	}
}

// missing says what is not settled. Nil: the crowd is settled.
func (c *Crowd) missing(since time.Time) error {
	counts := map[*member]int{}
	for _, m := range c.members {
		if !m.leaving && !m.isCut {
			counts[m] = 0
		}
	}
	var faults []error
	c.mu.Lock()
	for _, s := range c.cfg.Shards {
		id := s.ID
		o, ok := c.owners[id]
		_, there := counts[o.member]
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("no member runs shard %s", id))
		case !there:
			faults = append(faults, fmt.Errorf("%s still runs shard %s", o.member.name, id))
		case !o.committed.After(since):
			faults = append(faults, fmt.Errorf("%s has committed nothing to shard %s", o.member.name, id))
		}
		counts[o.member]++
	}
	c.mu.Unlock()
	least, most := len(c.cfg.Shards), 0
	for _, n := range counts {
		least, most = min(least, n), max(most, n)
	}
	if len(faults) == 0 && most-least > 1 {
		faults = append(faults, fmt.Errorf("one member runs %d shards and another %d", least, most))
	}
	if n := len(faults); n > 5 {
		faults = append(faults[:5], fmt.Errorf("and %d faults more", n-5))
	}
	return errors.Join(faults...)
}
