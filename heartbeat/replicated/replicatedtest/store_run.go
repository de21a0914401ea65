package replicatedtest

import (
	"slices"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// StoreConfig says how to test a replicated.Store. New is required.
type StoreConfig struct {
	// New makes a new engine, or a new and empty group on one that runs. It may skip
	// the case (t.Skip) and register with t.Cleanup what takes the engine down.
	New func(t testing.TB) Engine

	// Patience bounds what is due at once: one call, or that a watch tells a change.
	// Zero means 10 s.
	Patience time.Duration

	// Bubble, if set, runs each case: testing/synctest.Test for a store that can live
	// in fake time. Nil means real time; the cases then run in parallel.
	Bubble func(t *testing.T, run func(t *testing.T))
}

// Engine is one group's values in the store under test.
type Engine struct {
	// Dial returns the store as one process sees it. It is called up to 20 times for
	// a case, also concurrently, and may return the same each time. Required.
	Dial func() (replicated.Store, error)
	// Close ends what Dial made. It is called at the end of the case, in its bubble.
	// May be nil.
	Close func()
}

// RunStore checks a store against all that replicated.Store promises, each case in a
// subtest and with an engine of its own. A case for an ability that the store has not
// is skipped and says so.
func RunStore(t *testing.T, cfg StoreConfig) {
	cfg = cfg.complete()
	for _, c := range storeCases() {
		t.Run(c.name, func(t *testing.T) {
			if cfg.Bubble == nil {
				t.Parallel()
				c.play(t, cfg)
				return
			}
			skipped := false // which a bubble keeps to itself
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

// storeCase is one case: what it needs of the store, and what it does.
type storeCase struct {
	name  string
	clock bool // needs replicated.RecordClock
	lists bool // needs replicated.Lister
	run   func(k *storeKit)
}

// storeCases returns all there are, those of each topic from its file.
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
