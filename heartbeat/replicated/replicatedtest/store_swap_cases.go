package replicatedtest

import (
	"fmt"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func swapCases() []storeCase {
	return []storeCase{
		{name: "Swap/absent", run: swapAbsent},
		{name: "Swap/create", run: swapCreate},
		{name: "Swap/replace", run: swapReplace},
		{name: "Swap/conflicts", run: swapConflicts},
		{name: "Swap/kinds", run: swapKinds},
		{name: "Swap/same data", run: swapSameData},
	}
}

// one returns a key of each kind.
func one() []replicated.Key { return []replicated.Key{document, record("a"), checkpoint("a")} }

// A key that was never written has no value.
func swapAbsent(k *storeKit) {
	for _, key := range one() {
		k.empty(k.store, key)
	}
}

// All processes read a value that one process has written.
func swapCreate(k *storeKit) {
	other := k.dial()
	for _, key := range one() {
		r := k.swap(k.store, key, 0, "first "+key.String())
		k.holds(k.store, key, r, "first "+key.String())
		k.holds(other, key, r, "first "+key.String())
	}
}

// Each write replaces the last one, no matter which process made it.
func swapReplace(k *storeKit) {
	both := k.dials(2)
	for _, key := range one() {
		var r uint64
		for i := range 20 {
			data := fmt.Sprint("version ", i)
			r = k.swap(both[i%2], key, r, data)
			k.holds(both[(i+1)%2], key, r, data)
		}
	}
}

// A write that is not over the current version is refused and writes nothing.
func swapConflicts(k *storeKit) {
	other := k.dial()
	for _, key := range one() {
		_, err := k.trySwap(other, key, 7, "over nothing")
		k.refused("Swap over revision 7 of a key that was never written", err)
		k.empty(k.store, key)

		first := k.swap(k.store, key, 0, "first")
		_, err = k.trySwap(other, key, 0, "made twice")
		k.refused("Swap over nothing of an existing key", err)
		_, err = k.trySwap(other, key, first+1000, "ahead")
		k.refused("Swap over a later revision", err)
		k.holds(k.store, key, first, "first")

		second := k.swap(k.store, key, first, "second")
		_, err = k.trySwap(other, key, first, "behind")
		k.refused("Swap over an earlier revision", err)
		_, err = k.trySwap(k.store, key, first, "behind")
		k.refused("Swap over an earlier revision, by the process that wrote it", err)
		k.holds(other, key, second, "second")
	}
}

// Keys of different kinds may have the same name.
func swapKinds(k *storeKit) {
	keys := []replicated.Key{document, record("document"), checkpoint("document"), record("record"), checkpoint("record")}
	at := map[replicated.Key]uint64{}
	for _, key := range keys {
		k.empty(k.store, key)
		at[key] = k.swap(k.store, key, 0, key.String())
	}
	k.delete(k.store, record("document"), at[record("document")])
	k.empty(k.store, record("document"))
	for _, key := range keys {
		if key != record("document") {
			k.holds(k.store, key, at[key], key.String())
		}
	}
}

// A write of the same data has a new revision.
func swapSameData(k *storeKit) {
	for _, key := range one() {
		first := k.swap(k.store, key, 0, "the same")
		second := k.swap(k.store, key, first, "the same")
		_, err := k.trySwap(k.store, key, first, "the same")
		k.refused("Swap over an earlier revision with the same data", err)
		k.holds(k.store, key, second, "the same")
	}
}
