package replicatedtest

import (
	"fmt"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func watchCases() []storeCase {
	return []storeCase{
		{name: "Watch/no keys", run: watchNothing},
		{name: "Watch/existing keys", run: watchPresent},
		{name: "Watch/changes", run: watchChanges},
		{name: "Watch/deletions", run: watchDeletions},
		{name: "Watch/kinds", run: watchKinds},
		{name: "Watch/several", run: watchSeveral},
		{name: "Watch/many keys", run: watchManyKeys},
	}
}

func caughtUp(s *seen) bool { return s.caughtUp }

// A watch that finds no keys catches up, and then reports changes.
func watchNothing(k *storeKit) {
	for _, kind := range []replicated.Kind{replicated.KindDocument, replicated.KindRecord} {
		w := k.watch(k.store, kind)
		w.until("it has caught up", caughtUp)
		if n := w.keys(); n != 0 {
			k.Errorf("a watch of no %ss reported %d keys", kind, n)
		}
		w.stop()
	}
}

// A watch reports the existing keys before it catches up.
func watchPresent(k *storeKit) {
	doc := k.swap(k.store, document, 0, "the group")
	at := map[string]uint64{}
	for _, name := range []string{"a", "b", "c"} {
		at[name] = k.swap(k.store, record(name), 0, "first")
	}
	at["b"] = k.swap(k.store, record("b"), at["b"], "second")
	k.delete(k.store, record("c"), at["c"])

	other := k.dial()
	w := k.watch(other, replicated.KindDocument)
	defer w.stop()
	w.until("it has caught up", caughtUp)
	w.shows(document, doc, "the group")
	r := k.watch(other, replicated.KindRecord)
	defer r.stop()
	r.until("it has caught up", caughtUp)
	r.shows(record("a"), at["a"], "first")
	r.shows(record("b"), at["b"], "second")
	if early := r.early(); early != 2 {
		k.Errorf("the watch had reported %d existing records when it caught up, want 2", early)
	}
}

// A watch reports each change, by any writer, with the revision that the writer got.
func watchChanges(k *storeKit) {
	other := k.dial()
	d := k.watch(other, replicated.KindDocument)
	defer d.stop()
	r := k.watch(other, replicated.KindRecord)
	defer r.stop()
	d.until("it has caught up", caughtUp)
	r.until("it has caught up", caughtUp)
	var doc, rec uint64
	for i := range 20 {
		writer := []replicated.Store{k.store, other}[i%2]
		doc = k.swap(writer, document, doc, fmt.Sprint("document ", i))
		d.shows(document, doc, fmt.Sprint("document ", i))
		rec = k.swap(writer, record("a"), rec, fmt.Sprint("record ", i))
		r.shows(record("a"), rec, fmt.Sprint("record ", i))
	}
}

// A watch reports a deletion, and a new value after it.
func watchDeletions(k *storeKit) {
	w := k.watch(k.dial(), replicated.KindRecord)
	defer w.stop()
	w.until("it has caught up", caughtUp)
	for i := range 10 {
		key := record(fmt.Sprint("member-", i%2))
		at := k.swap(k.store, key, 0, "there")
		w.shows(key, at, "there")
		k.delete(k.store, key, at)
		w.gone(key)
	}
}

// A watch of one kind does not report the other, nor checkpoints.
func watchKinds(k *storeKit) {
	doc := k.swap(k.store, document, 0, "document")
	rec := k.swap(k.store, record("a"), 0, "record")
	k.swap(k.store, checkpoint("a"), 0, "checkpoint")
	d, r := k.watch(k.store, replicated.KindDocument), k.watch(k.store, replicated.KindRecord)
	defer d.stop()
	defer r.stop()
	d.until("it has caught up", caughtUp)
	r.until("it has caught up", caughtUp)
	k.swap(k.store, checkpoint("b"), 0, "checkpoint")
	doc = k.swap(k.store, document, doc, "document again")
	rec = k.swap(k.store, record("a"), rec, "record again")
	d.shows(document, doc, "document again")
	r.shows(record("a"), rec, "record again")
	if d.keys() != 1 || r.keys() != 1 {
		k.Errorf("watches of one document and one record reported %d and %d keys", d.keys(), r.keys())
	}
}

// Several watches, of one store and of several, report everything.
func watchSeveral(k *storeKit) {
	var all []*watcher
	for _, s := range []replicated.Store{k.store, k.store, k.dial(), k.dial()} {
		w := k.watch(s, replicated.KindRecord)
		defer w.stop()
		all = append(all, w)
	}
	var at uint64
	for i := range 10 {
		at = k.swap(k.store, record("a"), at, fmt.Sprint(i))
	}
	for _, w := range all {
		w.shows(record("a"), at, "9")
	}
	all[0].stop()
	at = k.swap(k.store, record("a"), at, "after one has ended")
	for _, w := range all[1:] {
		w.shows(record("a"), at, "after one has ended")
	}
}

// A watch reports hundreds of keys before it catches up, and then their changes.
func watchManyKeys(k *storeKit) {
	const keys, writers = 500, 10
	stores := k.dials(writers)
	at := make([]uint64, keys)
	write := func(data string) {
		k.together(writers, func(w int) (err error) {
			for i := w; i < keys && err == nil; i += writers {
				at[i], err = k.trySwap(stores[w], record(fmt.Sprint("member-", i)), at[i], data)
			}
			return err
		})
	}
	write("first")
	w := k.watch(k.store, replicated.KindRecord)
	defer w.stop()
	w.until("it has caught up", caughtUp)
	if early := w.early(); early != keys {
		k.Errorf("the watch had reported %d keys when it caught up, want %d", early, keys)
	}
	write("second")
	for i := range keys {
		w.shows(record(fmt.Sprint("member-", i)), at[i], "second")
	}
}
