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

// Group is what a member of a Crowd needs of a client. *replicated.Client is one, and
// so is *memory.Service.
type Group interface {
	heartbeat.Client
	heartbeat.Leaver
	heartbeat.Notifier
	heartbeat.Creator
	processor.Checkpoints
}

// Connection is a group as one process sees it.
type Connection struct {
	Group Group
	// Cut stops everything between the process and the store, or lets it through
	// again: a proxy, for instance. Nil: the Crowd stops the calls of Group, whose own
	// goroutines then go on.
	Cut func(cut bool)
	// Close is called when the member has gone. May be nil.
	Close func()
}

// CrowdConfig says what a Crowd is made of. Dial, Shards and TTL are required.
type CrowdConfig struct {
	// Dial connects a process of this name to the group.
	Dial func(name string) (Connection, error)
	// Shards are the group's.
	Shards []shardset.ID
	// TTL is the group's.
	TTL time.Duration
	// Interval is the members' heartbeat. Zero means a fifth of TTL.
	Interval time.Duration
	// Recovery is how soon after a fault has ended all shards have to be shared out and
	// worked on. Zero means two TTLs and two seconds.
	Recovery time.Duration
	// Record is how long a processor takes for one record. Zero means 10 ms.
	Record time.Duration
	// CommitEvery is how many records a processor does before it commits. Zero means 10.
	CommitEvery int
	// Logger takes the logs of all members. Nil means silence.
	Logger *zap.Logger
}

// Crowd runs coordinators in this process, each with a connection of its own and one
// processor a shard that does numbered records and commits as it goes. A Ledger hears
// of all they do. In a synctest bubble it has to be made and stopped inside. Its
// methods are for the goroutine of the test.
type Crowd struct {
	testing.TB
	cfg    CrowdConfig
	ledger *Ledger

	members []*member // that were ever started
	passed  int       // how many of them came and went with a fault
	all     sync.WaitGroup

	mu     sync.Mutex // guards owners
	owners map[shardset.ID]owner
}

// owner is whose processor runs a shard, and since when it has had a commit accepted.
type owner struct {
	member    *member
	committed time.Time // the newest accepted commit
}

// NewCrowd returns a crowd of nobody.
func NewCrowd(t testing.TB, cfg CrowdConfig) *Crowd {
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
	for i, id := range cfg.Shards {
		names[i] = id.String()
	}
	return &Crowd{
		TB: t, cfg: cfg, ledger: NewLedger(LedgerConfig{Shards: names}),
		owners: map[shardset.ID]owner{},
	}
}

// Ledger returns what hears of everything.
func (c *Crowd) Ledger() *Ledger { return c.ledger }

// Join starts a member. A former one of its name may be gone, killed or cut off.
func (c *Crowd) Join(names ...string) {
	c.Helper()
	for _, name := range names {
		c.ledger.Note(Event{Kind: EventJoined, At: time.Now(), Member: name})
		m, err := c.start(name)
		if err != nil {
			c.Fatalf("member %q cannot start: %v", name, err)
		}
		c.members = append(c.members, m)
	}
}

// Leave tells a member to leave. It does not wait until it has.
func (c *Crowd) Leave(name string) { c.live(name).leave() }

// Kill ends a member's process without a word: nothing of it reaches the store any
// more, and its processors do nothing more.
func (c *Crowd) Kill(name string) {
	m := c.live(name)
	c.ledger.Note(Event{Kind: EventGone, At: time.Now(), Member: name})
	m.kill()
}

// Cut cuts a member off from the store, without a word. It and its processors go on as
// long as they dare.
func (c *Crowd) Cut(name string) { c.live(name).cut(true) }

// Heal ends Cut.
func (c *Crowd) Heal(name string) { c.live(name).cut(false) }

// Names returns who was started and was not told to leave or killed, the oldest first.
func (c *Crowd) Names() []string {
	var names []string
	for _, m := range c.members {
		if !m.leaving {
			names = append(names, m.name)
		}
	}
	return names
}

// Stop tells all to leave and waits until nothing of the crowd runs any more.
func (c *Crowd) Stop() {
	for _, m := range c.members {
		if !m.leaving {
			m.leave()
		}
	}
	c.all.Wait()
}

// live returns the member of this name that was started last.
func (c *Crowd) live(name string) *member {
	c.Helper()
	for _, m := range slices.Backward(c.members) {
		if m.name == name && !m.leaving {
			return m
		}
	}
	c.Fatalf("there is no member %q", name)
	return nil
}

// Settle waits until all shards are shared out among those who are there and not cut
// off, within one of each other, and each owner has had a commit accepted since Settle
// was called. The error says what is missing when the time is up.
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

// missing says what is not settled; nil: nothing.
func (c *Crowd) missing(since time.Time) error {
	counts := map[*member]int{}
	for _, m := range c.members {
		if !m.leaving && !m.isCut {
			counts[m] = 0
		}
	}
	var faults []error
	c.mu.Lock()
	for _, id := range c.cfg.Shards {
		o, ok := c.owners[id]
		_, there := counts[o.member]
		switch {
		case !ok:
			faults = append(faults, fmt.Errorf("nobody runs shard %s", id))
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
