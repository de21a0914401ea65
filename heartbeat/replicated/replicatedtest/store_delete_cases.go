package replicatedtest

func deleteCases() []storeCase {
	return []storeCase{
		{name: "Delete/gone", run: deleteGone},
		{name: "Delete/conflicts", run: deleteConflicts},
		{name: "Delete/made again", run: deleteMadeAgain},
	}
}

// A deleted key has no value, for all processes.
func deleteGone(k *storeKit) {
	other := k.dial()
	for _, key := range one() {
		r := k.swap(k.store, key, 0, "there")
		k.delete(other, key, r)
		k.empty(k.store, key)
		k.empty(other, key)
	}
}

// A deletion that is not of the current version is refused and deletes nothing.
func deleteConflicts(k *storeKit) {
	for _, key := range one() {
		k.refused("Delete of a key that was never written", k.tryDelete(k.store, key, 7))

		first := k.swap(k.store, key, 0, "first")
		second := k.swap(k.store, key, first, "second")
		k.refused("Delete of an earlier revision", k.tryDelete(k.store, key, first))
		k.refused("Delete of a later revision", k.tryDelete(k.store, key, second+1000))
		k.holds(k.store, key, second, "second")

		k.delete(k.store, key, second)
		k.refused("Delete of a version that was deleted before", k.tryDelete(k.store, key, second))
		_, err := k.trySwap(k.store, key, second, "over a deleted version")
		k.refused("Swap over a deleted version", err)
		k.empty(k.store, key)
	}
}

// A deleted key can be created again, once.
func deleteMadeAgain(k *storeKit) {
	other := k.dial()
	for _, key := range one() {
		var before uint64
		for range 5 {
			r := k.swap(other, key, 0, "made")
			if r <= before {
				k.Fatalf("%s was created again at revision %d, after revision %d", key, r, before)
			}
			_, err := k.trySwap(k.store, key, 0, "made twice")
			k.refused("Swap over nothing of a key that exists again", err)
			k.holds(k.store, key, r, "made")
			k.delete(k.store, key, r)
			before = r
		}
	}
}
