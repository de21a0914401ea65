package replicatedtest

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func quietCases() []storeCase {
	return []storeCase{
		{name: "Quiet/is a swap", clock: true, run: quietIsASwap},
		{name: "Quiet/then a swap", clock: true, run: quietThenSwap},
	}
}

func clockCases() []storeCase {
	return []storeCase{
		{name: "Clock/records", clock: true, run: clockRecords},
		{name: "Clock/next", clock: true, run: clockNext},
		{name: "Clock/quiet writes count", clock: true, run: clockQuietly},
	}
}

func listCases() []storeCase {
	return []storeCase{{name: "Lister/keys", lists: true, run: listsKeys}}
}

// Keys lists all keys of a kind. It may also list deleted keys, but no others.
func listsKeys(k *storeKit) {
	list := func(kind replicated.Kind) map[replicated.Key]bool {
		ctx, cancel := k.context()
		defer cancel()
		keys, err := k.store.(replicated.Lister).Keys(ctx, kind)
		if err != nil {
			k.Fatalf("Keys: %v", err)
		}
		got := map[replicated.Key]bool{}
		for _, key := range keys {
			if got[key] || key.Kind != kind {
				k.Errorf("the list of the %ss has %v, or has it twice", kind, key)
			}
			got[key] = true
		}
		return got
	}
	if n := len(list(replicated.KindRecord)); n > 0 {
		k.Errorf("%d records of an empty group are listed", n)
	}
	want := map[replicated.Kind]int{replicated.KindRecord: 40, replicated.KindCheckpoint: 30}
	for kind, n := range want {
		for i := range n {
			k.swap(k.store, replicated.Key{Kind: kind, Name: fmt.Sprint("a/", i, " *>\xff")}, 0, "x")
		}
	}
	gone := record("gone")
	k.delete(k.store, gone, k.swap(k.store, gone, 0, "x"))
	for kind, n := range want {
		got := list(kind)
		delete(got, gone)
		for i := range n {
			if key := (replicated.Key{Kind: kind, Name: fmt.Sprint("a/", i, " *>\xff")}); !got[key] {
				k.Errorf("%v is not listed", key)
			}
		}
		if len(got) != n {
			k.Errorf("%d %ss are listed, want %d", len(got), kind, n)
		}
	}
}

func (k *storeKit) swapQuietly(key replicated.Key, old uint64, data string) (uint64, error) {
	ctx, cancel := k.context()
	defer cancel()
	return k.store.(replicated.RecordClock).SwapQuietly(ctx, key, old, []byte(data))
}

// A quiet swap is a swap, except that watches need not report it.
func quietIsASwap(k *storeKit) {
	other, key := k.dial(), record("a")
	last := uint64(0)
	for i := range 20 {
		data := fmt.Sprint("version ", i)
		at, err := k.swapQuietly(key, last, data)
		if err != nil {
			k.Fatalf("SwapQuietly: %v", err)
		}
		if at <= last {
			k.Fatalf("a quiet swap over revision %d made revision %d", last, at)
		}
		_, err = k.swapQuietly(key, last, "behind")
		k.refused("SwapQuietly over an earlier revision", err)
		_, err = k.trySwap(other, key, last, "behind")
		k.refused("Swap over a revision before a quiet swap", err)
		k.holds(other, key, at, data)
		last = at
	}
	w := k.watch(other, replicated.KindRecord)
	defer w.stop()
	w.until("it has caught up", caughtUp)
	w.shows(key, last, "version 19")
	k.delete(other, key, last)
	_, err := k.swapQuietly(key, last, "over a deleted version")
	k.refused("SwapQuietly over a deleted version", err)
	k.empty(other, key)
}

// A watch reports a swap after quiet swaps.
func quietThenSwap(k *storeKit) {
	w := k.watch(k.dial(), replicated.KindRecord)
	defer w.stop()
	w.until("it has caught up", caughtUp)
	var at uint64
	for i := range 10 {
		at = k.swap(k.store, record("a"), at, fmt.Sprint("version ", i))
		w.shows(record("a"), at, fmt.Sprint("version ", i))
		for range 3 {
			var err error
			if at, err = k.swapQuietly(record("a"), at, fmt.Sprint("version ", i)); err != nil {
				k.Fatalf("SwapQuietly: %v", err)
			}
		}
	}
	k.delete(k.store, record("a"), at)
	w.gone(record("a"))
}

func (k *storeKit) older(age time.Duration) (map[replicated.Key]replicated.Value, time.Duration) {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.Context(), k.patience)
	defer cancel()
	list, next, err := k.store.(replicated.RecordClock).OlderRecords(ctx, age)
	if err != nil {
		k.Fatalf("OlderRecords: %v", err)
	}
	values := map[replicated.Key]replicated.Value{}
	for _, e := range list {
		values[e.Key] = e.Value
	}
	return values, next
}

// OlderRecords returns the records whose last write is longer ago than the age, with
// their current revisions, which a tombstone must replace. It returns no other keys.
func clockRecords(k *storeKit) {
	if list, next := k.older(time.Millisecond); len(list) != 0 || next >= 0 {
		k.Errorf("of no records, %d are older than 1 ms, and the next one is in %v", len(list), next)
	}
	k.swap(k.store, document, 0, "document")
	k.swap(k.store, checkpoint("a"), 0, "checkpoint")
	a := k.swap(k.store, record("a"), 0, "a")
	gone := k.swap(k.store, record("gone"), 0, "gone")
	k.delete(k.store, record("gone"), gone)
	age := k.patience / 10
	time.Sleep(age + age/2)
	b := k.swap(k.store, record("b"), 0, "b")
	list, _ := k.older(age)
	if v := list[record("a")]; len(list) != 1 || v.Revision != a || string(v.Data) != "a" {
		k.Errorf("the older records are %v, want only a at revision %d", list, a)
	}
	k.swap(k.store, record("a"), a, "a again")
	if list, _ := k.older(age); len(list) != 0 {
		k.Errorf("the older records are %v after a has written again, want none", list)
	}
	k.holds(k.store, record("b"), b, "b")
}

// OlderRecords says when the next record reaches the age if it is not written.
func clockNext(k *storeKit) {
	age := k.patience / 10
	at := k.swap(k.store, record("a"), 0, "a")
	_, next := k.older(age)
	if next < 0 || next > age {
		k.Fatalf("OlderRecords returned %v until the next record after a write, want up to %v", next, age)
	}
	time.Sleep(next + age/5)
	if list, _ := k.older(age); list[record("a")].Revision != at {
		k.Errorf("the older records are %v after the time that OlderRecords returned, want a", list)
	}
	if list, next := k.older(time.Hour); len(list) != 0 || next < time.Hour-k.patience || next > time.Hour {
		k.Errorf("the records older than an hour are %v, the next one is in %v; want none, in about an hour", list, next)
	}
}

// A quiet write counts as a write.
func clockQuietly(k *storeKit) {
	age := k.patience / 10
	at := k.swap(k.store, record("a"), 0, "a")
	for end := time.Now().Add(2 * age); time.Now().Before(end); time.Sleep(age / 10) {
		var err error
		if at, err = k.swapQuietly(record("a"), at, "a"); err != nil {
			k.Fatalf("SwapQuietly: %v", err)
		}
	}
	if list, _ := k.older(age); len(list) != 0 {
		k.Errorf("the older records are %v, which wrote quietly all the time", list)
	}
}
