package replicatedtest

import (
	"bytes"
	"strings"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func dataCases() []storeCase {
	return []storeCase{
		{name: "Data/binary", run: dataBinary},
		{name: "Data/large", run: dataLarge},
		{name: "Data/is kept", run: dataKept},
	}
}

// Data may be any bytes, at least one.
func dataBinary(k *storeKit) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, key := range one() {
		var at uint64
		for _, data := range []string{"\x00", "x", "\x00\x00\x00", "\xff", " ", "'", `\x00`, "null", "\r\n", string(every)} {
			at = k.swap(k.store, key, at, data)
			k.holds(k.store, key, at, data)
		}
	}
}

// Get and a watch return a large document whole.
func dataLarge(k *storeKit) {
	large := strings.Repeat("0123456789abcde\x00", 200<<10/16)
	other := k.dial()
	w := k.watch(other, replicated.KindDocument)
	defer w.stop()
	var at uint64
	for i := range 3 {
		data := large[i:]
		at = k.swap(k.store, document, at, data)
		k.holds(other, document, at, data)
		w.shows(document, at, data)
	}
}

// The caller may change the data after Swap has returned. The data that Get has returned
// does not change.
func dataKept(k *storeKit) {
	ctx, cancel := k.context()
	defer cancel()
	w := k.watch(k.store, replicated.KindRecord)
	defer w.stop()
	data := []byte("as it was")
	first, err := k.store.Swap(ctx, record("a"), 0, data)
	if err != nil {
		k.Fatal(err)
	}
	copy(data, "something")
	k.holds(k.store, record("a"), first, "as it was")
	w.shows(record("a"), first, "as it was")
	v := k.get(k.store, record("a"))
	k.swap(k.store, record("a"), first, "different")
	if !bytes.Equal(v.Data, []byte("as it was")) {
		k.Errorf("what Get returned has become %q", v.Data)
	}
}
