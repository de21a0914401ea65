package replicatedtest

import (
	"context"
	"fmt"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func freshCases() []storeCase {
	return []storeCase{
		{name: "Fresh/reads", run: freshReads},
		{name: "Fresh/after deletion", run: freshAfterDeletion},
	}
}

// A read that begins after a write was acknowledged returns that write or a newer one,
// no matter which process wrote it, also under load.
func freshReads(k *storeKit) {
	const pairs, rounds = 4, 40
	stores := k.dials(2 * pairs)
	k.together(pairs, func(i int) error {
		key, writer, reader := record(fmt.Sprint("fresh-", i)), stores[2*i], stores[2*i+1]
		var at uint64
		for round := range rounds {
			var err error
			if at, err = k.trySwap(writer, key, at, fmt.Sprint("round ", round)); err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
			if err := k.fresh(reader, key, at); err != nil {
				return fmt.Errorf("round %d: %w", round, err)
			}
		}
		return nil
	})
}

// fresh reads a key, which must have this revision.
func (k *storeKit) fresh(s replicated.Store, key replicated.Key, want uint64) error {
	ctx, cancel := context.WithTimeout(k.Context(), k.patience)
	defer cancel()
	v, err := s.Get(ctx, key)
	if err != nil {
		return err
	}
	if v.Revision != want {
		return fmt.Errorf("%s: a write was acknowledged at revision %d, and a later read returned revision %d", key, want, v.Revision)
	}
	return nil
}

// A read that begins after a deletion was acknowledged returns no value.
func freshAfterDeletion(k *storeKit) {
	both := k.dials(2)
	for i := range 20 {
		key := checkpoint(fmt.Sprint("shard/", i%3))
		at := k.swap(both[i%2], key, 0, "there")
		k.delete(both[i%2], key, at)
		k.empty(both[(i+1)%2], key)
	}
}
