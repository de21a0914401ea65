package replicatedtest

import (
	"slices"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// StoreConfig says how to test a replicated.Store. New is required.
type StoreConfig struct {
	// New returns a new, empty group, on a new engine or on one that runs already. It may
	// skip the case with t.Skip, and register cleanups with t.Cleanup.
	New func(t testing.TB) Engine

	// Patience is how long a call may take, and how long a watch may take to report a
	// change. Zero means 10 s.
	Patience time.Duration

	// Bubble, if set, runs each case. Set it to testing/synctest.Test for a store that works
	// in a synctest bubble. Nil: the cases run in real time and in parallel.
	Bubble func(t *testing.T, run func(t *testing.T))
}

// Engine is one group in the store under test.
type Engine struct {
	// Dial returns the store as one process sees it. A case calls it up to 20 times,
	// concurrently too. It may return the same store each time. Required.
	Dial func() (replicated.Store, error)
	// Close closes the stores that Dial has returned. RunStore calls it at the end of the
	// case, inside Bubble. May be nil.
	Close func()
}

// RunStore checks a store against everything that replicated.Store promises. Each case is a
// subtest with its own engine. A case for an ability that the store does not have is
// skipped.
func RunStore(t *testing.T, cfg StoreConfig) {
	cfg = cfg.complete()
	for _, c := range storeCases() {
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

func (cfg StoreConfig) complete() StoreConfig {
	if cfg.New == nil {
		panic("replicatedtest: StoreConfig.New is required")
	}
	if cfg.Patience <= 0 {
		cfg.Patience = 10 * time.Second
	}
	return cfg
}

// storeCase is one case: which abilities it needs, and what it does.
type storeCase struct {
	name  string
	clock bool // needs replicated.RecordClock
	lists bool // needs replicated.Lister
	run   func(k *storeKit)
}

// storeCases returns all cases. Each topic has a file.
func storeCases() []storeCase {
	return slices.Concat(
		swapCases(), deleteCases(), revisionCases(), raceCases(), nameCases(), dataCases(), freshCases(),
		watchCases(), watchOrderCases(), watchLifeCases(), storeContextCases(), quietCases(), clockCases(), listCases(),
	)
}

// play runs the case, or skips it.
func (c storeCase) play(t testing.TB, cfg StoreConfig) {
	e := cfg.New(t)
	if e.Close != nil {
		defer e.Close()
	}
	k := &storeKit{TB: t, engine: e, patience: cfg.Patience}
	k.store = k.dial()
	if _, ok := k.store.(replicated.RecordClock); c.clock && !ok {
		t.Skip("the store is no replicated.RecordClock")
	}
	if _, ok := k.store.(replicated.Lister); c.lists && !ok {
		t.Skip("the store is no replicated.Lister")
	}
	c.run(k)
}
