package heartbeattest

import (
	"slices"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

// Config says how to test a service. New and TTL are required.
type Config struct {
	// New makes a new group without members for one case, and registers its cleanup with
	// t.Cleanup. It may skip the case (t.Skip) if the service cannot make such a group.
	New func(t testing.TB, o Options) Service

	// TTL is the TTL of the groups. Some cases last a few TTLs, so choose a short one for a
	// service that runs in real time.
	TTL time.Duration

	// Slack is how long the service may take to notice that a lease has ended, or to show one
	// client what another one wrote. Zero means half of TTL.
	Slack time.Duration

	// Bubble runs each case in fake time, for a service that can work in it; set it to
	// testing/synctest.Test. Nil means real time; the cases then run in parallel.
	Bubble func(t *testing.T, run func(t *testing.T))
}

// Options describe the group that a case needs.
type Options struct {
	// Shards are the group's shards, with their parents. They may span several logs.
	Shards []shardset.Shard
	// Ordered makes children wait until their ancestors are closed. A service that cannot do
	// that ignores it and does not promise Guarantees.Ordered.
	Ordered bool
	// TTL is Config.TTL.
	TTL time.Duration
}

// Service is one group of the service under test. Dial is required. If another function is nil, the
// cases that need it are skipped.
type Service struct {
	// Dial returns the client of one process and the service's store of checkpoints, which is
	// nil if it has none. The suite calls Dial once for each process of a case, also
	// concurrently. It may return the same values each time.
	Dial func() (heartbeat.Client, processor.Checkpoints, error)

	// SetShards replaces the group's shards.
	SetShards func(shards []shardset.Shard) error

	// End makes the service treat a shard as closed. Nil means that the service learns this
	// from the members' heartbeats.
	End func(id shardset.ID) error

	// Delete deletes the group.
	Delete func() error
}

// Run checks the service, each case in a subtest and with a group of its own. A Config
// without New or TTL fails the test.
func Run(t *testing.T, cfg Config) {
	if err := cfg.check(); err != nil {
		t.Fatal(err)
	}
	cfg = cfg.withDefaults()
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			if cfg.Bubble == nil {
				t.Parallel()
				c.play(t, cfg)
				return
			}
			skipped := false // a skip inside a bubble does not reach t
			cfg.Bubble(t, func(t *testing.T) {
				defer func() { skipped = t.Skipped() }()
				c.play(t, cfg)
			})
			if skipped {
				t.SkipNow()
			}
		})
	}
}

func (cfg Config) check() error {
	faults := &shardset.ConfigError{Config: "heartbeattest.Config"}
	if cfg.New == nil {
		faults.Add("New", "is nil; it is required")
	}
	if cfg.TTL <= 0 {
		faults.Add("TTL", "is %v; it must be positive", cfg.TTL)
	}
	return faults.Err()
}

func (cfg Config) withDefaults() Config {
	if cfg.Slack <= 0 {
		cfg.Slack = cfg.TTL / 2
	}
	return cfg
}

// testCase is one case: the group and the abilities that it needs, and what it does.
type testCase struct {
	name string

	needs  heartbeat.Guarantees // skipped without these
	except heartbeat.Guarantees // skipped with any of these

	store     bool // needs a store of checkpoints
	setShards bool // needs Service.SetShards
	delete    bool // needs Service.Delete

	shards  []shardset.Shard // nil: eight
	ordered bool

	run func(k *kit)
}

// cases returns all cases; each topic has a file.
func cases() []testCase {
	return slices.Concat(
		infoCases(), joinCases(), steadyCases(), rebalanceCases(), releaseCases(), generationCases(), staleCases(),
		expiryCases(), evictionCases(), standbyCases(), leaveCases(), instanceCases(), fenceCases(), fenceEpochCases(),
		checkpointCases(), orderedCases(), shardsCases(), groupCases(), finishCases(), pushCases(), contextCases(),
		churnCases(),
	)
}

// play runs the case, or skips it.
func (c testCase) play(t testing.TB, cfg Config) {
	if c.shards == nil {
		c.shards = shards(8)
	}
	s := cfg.New(t, Options{Shards: c.shards, Ordered: c.ordered, TTL: cfg.TTL})
	k := newKit(t, cfg, s, c)
	has := k.info.Guarantees
	if missing := has.Missing(c.needs); missing != (heartbeat.Guarantees{}) {
		t.Skipf("the service does not promise %s", missing)
	}
	if more := has.Missing(c.except).Missing(c.except); more != (heartbeat.Guarantees{}) {
		t.Skipf("for services that do not promise %s; this one does", more)
	}
	switch {
	case c.store && k.first.store == nil:
		t.Skip("the service keeps no checkpoints")
	case c.setShards && s.SetShards == nil:
		t.Skip("the test cannot change the service's shards")
	case c.delete && s.Delete == nil:
		t.Skip("the test cannot delete the service's group")
	}
	c.run(k)
}

// shards returns n shards of one log, without parents.
func shards(n int) []shardset.Shard { return shardset.Range("orders", n) }
