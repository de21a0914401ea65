package replicatedtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// storeKit is what a case uses: the engine, and the store as one process sees it.
type storeKit struct {
	testing.TB
	engine   Engine
	store    replicated.Store
	patience time.Duration
}

// dial returns the store as another process sees it.
func (k *storeKit) dial() replicated.Store {
	k.Helper()
	s, err := k.engine.Dial()
	if err != nil {
		k.Fatalf("Dial: %v", err)
	}
	return s
}

// dials returns n stores.
func (k *storeKit) dials(n int) []replicated.Store {
	k.Helper()
	list := make([]replicated.Store, n)
	for i := range list {
		list[i] = k.dial()
	}
	return list
}

// context limits one call.
func (k *storeKit) context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(k.Context(), k.patience)
}

// record and checkpoint return keys of these kinds.
func record(name string) replicated.Key {
	return replicated.Key{Kind: replicated.KindRecord, Name: name}
}

func checkpoint(name string) replicated.Key {
	return replicated.Key{Kind: replicated.KindCheckpoint, Name: name}
}

var document = replicated.Key{Kind: replicated.KindDocument}

// get reads a key. It fails the test on an error.
func (k *storeKit) get(s replicated.Store, key replicated.Key) replicated.Value {
	k.Helper()
	ctx, cancel := k.context()
	defer cancel()
	v, err := s.Get(ctx, key)
	if err != nil {
		k.Fatalf("Get of %s: %v", key, err)
	}
	if (v.Revision == 0) != (v.Data == nil) {
		k.Fatalf("Get of %s returned revision %d with data %.40q; a key without a value has revision 0 and no data", key, v.Revision, v.Data)
	}
	return v
}

// trySwap writes a key, within the time limit of one call.
func (k *storeKit) trySwap(s replicated.Store, key replicated.Key, old uint64, data string) (uint64, error) {
	ctx, cancel := k.context()
	defer cancel()
	return s.Swap(ctx, key, old, []byte(data))
}

// swap writes a key. It fails the test on an error.
func (k *storeKit) swap(s replicated.Store, key replicated.Key, old uint64, data string) uint64 {
	k.Helper()
	revision, err := k.trySwap(s, key, old, data)
	if err != nil {
		k.Fatalf("Swap of %s over revision %d: %v", key, old, err)
	}
	if revision <= old {
		k.Fatalf("Swap of %s over revision %d made revision %d; revisions must rise", key, old, revision)
	}
	return revision
}

func (k *storeKit) tryDelete(s replicated.Store, key replicated.Key, old uint64) error {
	ctx, cancel := k.context()
	defer cancel()
	return s.Delete(ctx, key, old)
}

// delete deletes a key. It fails the test on an error.
func (k *storeKit) delete(s replicated.Store, key replicated.Key, old uint64) {
	k.Helper()
	if err := k.tryDelete(s, key, old); err != nil {
		k.Fatalf("Delete of %s at revision %d: %v", key, old, err)
	}
}

// refused fails the test unless a write was refused as a conflict.
func (k *storeKit) refused(what string, err error) {
	k.Helper()
	if !errors.Is(err, replicated.ErrConflict) {
		k.Errorf("%s returned %v, want an error that matches ErrConflict", what, err)
	}
}

// holds fails the test unless a key has this version.
func (k *storeKit) holds(s replicated.Store, key replicated.Key, revision uint64, data string) {
	k.Helper()
	v := k.get(s, key)
	if v.Revision != revision || !bytes.Equal(v.Data, []byte(data)) {
		k.Errorf("%s is %.40q (%d bytes) at revision %d, want %.40q (%d bytes) at %d",
			key, v.Data, len(v.Data), v.Revision, data, len(data), revision)
	}
}

// empty fails the test unless a key has no value.
func (k *storeKit) empty(s replicated.Store, key replicated.Key) {
	k.Helper()
	if v := k.get(s, key); v.Revision != 0 {
		k.Errorf("%s is %.40q at revision %d, want no value", key, v.Data, v.Revision)
	}
}

// together runs n goroutines, waits for them, and fails the test with their errors.
func (k *storeKit) together(n int, do func(i int) error) {
	k.Helper()
	var all sync.WaitGroup
	errs := make([]error, n)
	for i := range n {
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		k.Fatal(err)
	}
}

// update writes what change makes of the current version, and retries after a conflict. It
// returns the new revision. It does not end the test, so any goroutine may call it.
func (k *storeKit) update(s replicated.Store, key replicated.Key, change func(v replicated.Value) string) (uint64, error) {
	for end := time.Now().Add(k.patience); time.Now().Before(end); {
		ctx, cancel := k.context()
		v, err := s.Get(ctx, key)
		cancel()
		if err != nil {
			return 0, fmt.Errorf("get of %s: %w", key, err)
		}
		revision, err := k.trySwap(s, key, v.Revision, change(v))
		if err == nil || !errors.Is(err, replicated.ErrConflict) {
			return revision, err
		}
	}
	return 0, fmt.Errorf("%s was not swapped within %v because of conflicts", key, k.patience)
}
