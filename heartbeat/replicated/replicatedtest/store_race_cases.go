package replicatedtest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func raceCases() []storeCase {
	return []storeCase{
		{name: "Race/counter", run: raceCounter},
		{name: "Race/create", run: raceCreate},
		{name: "Race/delete", run: raceDelete},
	}
}

const racers = 16

// Sixteen processes increment a counter. The sum counts each acknowledged increment. No
// number and no revision is acknowledged twice.
func raceCounter(k *storeKit) {
	const each = 15
	stores := k.dials(racers)
	var mu sync.Mutex
	numbers, revisions := map[uint64]bool{}, map[uint64]bool{}
	k.together(racers, func(i int) error {
		for range each {
			var number uint64
			revision, err := k.update(stores[i], document, func(v replicated.Value) string {
				number = 1 // if the key does not exist
				if len(v.Data) == 8 {
					number = binary.BigEndian.Uint64(v.Data) + 1
				}
				return string(binary.BigEndian.AppendUint64(nil, number))
			})
			if err != nil {
				return err
			}
			mu.Lock()
			if numbers[number] || revisions[revision] {
				err = fmt.Errorf("number %d at revision %d: one of them was acknowledged twice", number, revision)
			}
			numbers[number], revisions[revision] = true, true
			mu.Unlock()
			if err != nil {
				return err
			}
		}
		return nil
	})
	v := k.get(k.store, document)
	if got := binary.BigEndian.Uint64(v.Data); got != racers*each || !revisions[v.Revision] {
		k.Errorf("%d increments were acknowledged, and the counter is %d at revision %d (acknowledged: %v)",
			racers*each, got, v.Revision, revisions[v.Revision])
	}
}

// Each time that sixteen processes create one key, exactly one of them succeeds.
func raceCreate(k *storeKit) {
	stores := k.dials(racers)
	for round := range 5 {
		key := checkpoint(fmt.Sprint("shard/", round))
		var made atomic.Int64
		var at atomic.Uint64
		k.together(racers, func(i int) error {
			revision, err := k.trySwap(stores[i], key, 0, fmt.Sprint("by ", i))
			if errors.Is(err, replicated.ErrConflict) {
				return nil
			}
			made.Add(1)
			at.Store(revision)
			return err
		})
		if v := k.get(k.store, key); made.Load() != 1 || v.Revision != at.Load() {
			k.Errorf("%d of %d made %s, which is at revision %d; the last said %d", made.Load(), racers, key, v.Revision, at.Load())
		}
	}
}

// If sixteen processes delete or replace one version, exactly one of them succeeds.
func raceDelete(k *storeKit) {
	stores := k.dials(racers)
	key := record("contested")
	var at uint64
	for range 5 {
		old := k.swap(k.store, key, at, "contested")
		var done atomic.Int64
		k.together(racers, func(i int) error {
			var err error
			if i%2 == 0 {
				err = k.tryDelete(stores[i], key, old)
			} else {
				_, err = k.trySwap(stores[i], key, old, "replaced")
			}
			if errors.Is(err, replicated.ErrConflict) {
				return nil
			}
			done.Add(1)
			return err
		})
		if done.Load() != 1 {
			k.Errorf("%d of %d changed revision %d of %s, want one", done.Load(), racers, old, key)
		}
		at = k.get(k.store, key).Revision
	}
}
