package replicatedtest

import (
	"context"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func watchOrderCases() []storeCase {
	return []storeCase{
		{name: "Watch/busy keys", run: watchBusyKeys},
		{name: "Watch/begun while busy", run: watchBegunWhileBusy},
		{name: "Watch/slow sink", run: watchSlowSink},
	}
}

// With many writers, a watch reports the versions of each key in their order, and the last
// version of each.
func watchBusyKeys(k *storeKit) {
	const writers, keys, each = 8, 3, 20
	stores := k.dials(writers)
	w := k.watch(k.dial(), replicated.KindRecord)
	defer w.stop()
	k.together(writers, func(i int) error {
		for n := range each {
			key := record(fmt.Sprint("member-", n%keys))
			if _, err := k.update(stores[i], key, func(replicated.Value) string { return fmt.Sprint(i, " wrote ", n) }); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range keys {
		key := record(fmt.Sprint("member-", i))
		v := k.get(k.store, key)
		w.shows(key, v.Revision, string(v.Data))
	}
}

// A change that is made while a watch begins is reported, before or after the watch has
// caught up.
func watchBegunWhileBusy(k *storeKit) {
	stop := k.writing(k.dial(), document)
	defer func() { _ = stop() }()
	var all []*watcher
	for i := range 12 {
		if i%3 == 2 {
			time.Sleep(2 * time.Millisecond) // so that they do not all begin at once
		}
		w := k.watch(k.store, replicated.KindDocument)
		defer w.stop()
		w.until("it has caught up", caughtUp)
		all = append(all, w)
	}
	if err := stop(); err != nil {
		k.Fatal(err)
	}
	v := k.get(k.store, document)
	for _, w := range all {
		w.shows(document, v.Revision, string(v.Data))
	}
}

// writing writes a key again and again. The returned function stops it, waits, and returns
// its error.
func (k *storeKit) writing(s replicated.Store, key replicated.Key) (stop func() error) {
	ctx, cancel := context.WithCancel(k.Context())
	done := make(chan struct{})
	var err error
	go func() {
		defer close(done)
		for i := 0; err == nil && ctx.Err() == nil; i++ {
			_, err = k.update(s, key, func(replicated.Value) string { return fmt.Sprint("version ", i) })
			time.Sleep(time.Millisecond / 2)
		}
	}()
	return func() error {
		cancel()
		<-done
		return err
	}
}

// A slow sink delays neither calls nor other watches. In the end it has the last version of
// each key.
func watchSlowSink(k *storeKit) {
	slow := k.watch(k.store, replicated.KindRecord)
	defer slow.stop()
	slow.until("it has caught up", caughtUp)
	quick := k.watch(k.store, replicated.KindRecord)
	defer quick.stop()
	slow.pause.Store(int64(k.patience / 40))
	at := make([]uint64, 4)
	start := time.Now()
	for n := range 15 {
		for i := range at {
			at[i] = k.swap(k.store, record(fmt.Sprint("member-", i)), at[i], fmt.Sprint("write ", n))
		}
	}
	for i := range at {
		quick.shows(record(fmt.Sprint("member-", i)), at[i], "write 14")
	}
	if took := time.Since(start); took > k.patience {
		k.Errorf("60 writes beside a slow sink took %v", took)
	}
	slow.pause.Store(0)
	for i := range at {
		slow.shows(record(fmt.Sprint("member-", i)), at[i], "write 14")
	}
}
