package replicatedtest

import (
	"fmt"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func revisionCases() []storeCase {
	return []storeCase{
		{name: "Revisions/rise", run: revisionsRise},
		{name: "Revisions/many keys", run: revisionsManyKeys},
	}
}

// The revisions of a key always rise, across deletions and writers, so that an old revision
// never matches a later version.
func revisionsRise(k *storeKit) {
	stores := k.dials(3)
	for _, key := range one() {
		var last, at uint64
		for i := range 60 {
			s := stores[i%len(stores)]
			if i%7 == 6 {
				k.delete(s, key, at)
				at = 0
				continue
			}
			at = k.swap(s, key, at, fmt.Sprint(i))
			if at <= last {
				k.Fatalf("write %d of %s is revision %d, after revision %d", i, key, at, last)
			}
			last = at
		}
	}
}

// Each of many keys keeps its version while others change.
func revisionsManyKeys(k *storeKit) {
	keys := make([]replicated.Key, 40)
	at := make([]uint64, len(keys))
	for i := range keys {
		keys[i] = record(fmt.Sprint("member-", i))
		at[i] = k.swap(k.store, keys[i], 0, keys[i].Name)
	}
	for i := range keys {
		if i%2 == 0 {
			at[i] = k.swap(k.store, keys[i], at[i], "changed")
		}
	}
	other := k.dial()
	for i, key := range keys {
		want := key.Name
		if i%2 == 0 {
			want = "changed"
		}
		k.holds(other, key, at[i], want)
	}
}
