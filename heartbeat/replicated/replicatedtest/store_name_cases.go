package replicatedtest

import (
	"fmt"
	"strings"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

func nameCases() []storeCase {
	return []storeCase{
		{name: "Names/apart", run: namesApart},
		{name: "Names/watched", run: namesWatched},
	}
}

// oddNames returns names that engines have trouble with: their own syntax, names that an
// escaping could make equal, bytes that are no text, and the longest names.
func oddNames() []string {
	list := []string{
		"plain", "Plain", "PLAIN", "with space", "with  space", " leading", "trailing ", " ", "tab\t", "line\n", "\r\n",
		".", "..", "...", "a.b", "a..b", ".a", "a.", "a.b.c", "*", ">", "a.*", "a.>", "$JS", "$", "_", "__", "-", "=", "==",
		"/", "//", "a/b", "/a", "a/", `\`, `a\b`, "%", "%25", "%2525", "%20", "+", "a+b", "a%20b", "a_20b", "a=20b", "a-20b",
		"=61", "%61", "_61", "61", "a", "A", "0", "00", "0x61", "YQ", "YQ==", "YQ=", "yq", "'", "''", `"`, "';--", "NULL", "null",
		"x:y", "x|y", "x,y", "#", "?", "&", "~", "^", "{}", "[]", "(", "\x00", "\x00\x00", "a\x00", "a\x00b", "\x7f", "\x1b[0m",
		"\xff", "\xfe\xff", "\xc3", "\xc3\x28", "\xed\xa0\x80", "ÿ", "é", "e\u0301", "日本語", "日本", "🙂", "\u202e", "\ufeff", "\ufffd",
		strings.Repeat("x", 127), strings.Repeat("x", 128), strings.Repeat(".", 128), strings.Repeat("\xff", 128),
		strings.Repeat("X", 128), strings.Repeat("x", 127) + "y", strings.Repeat("é", 64),
	}
	for b := range 256 {
		list = append(list, "byte"+string([]byte{byte(b)})+"inside")
	}
	return list
}

// Keys with different names are different keys.
func namesApart(k *storeKit) {
	other := k.dial()
	for _, key := range []func(string) replicated.Key{record, checkpoint} {
		names := oddNames()
		if key("").Kind == replicated.KindCheckpoint {
			names = append(names, strings.Repeat("z", 148), strings.Repeat("\xfe", 147)+"/")
		}
		at := map[string]uint64{}
		for _, name := range names {
			r, err := k.trySwap(k.store, key(name), 0, "named "+name)
			if err != nil {
				k.Fatalf("%s could not be made beside %d other keys: %v", key(name), len(at), err)
			}
			at[name] = r
		}
		if len(at) != len(names) {
			k.Fatalf("%d names are different, of %d", len(at), len(names))
		}
		for _, name := range names {
			k.holds(other, key(name), at[name], "named "+name)
		}
		for i, name := range names {
			if i%2 == 0 {
				k.delete(other, key(name), at[name])
			}
		}
		for i, name := range names {
			if i%2 == 0 {
				k.empty(k.store, key(name))
			} else {
				k.holds(k.store, key(name), at[name], "named "+name)
			}
		}
	}
}

// A watch reports the names as they were given, of existing keys and of changes.
func namesWatched(k *storeKit) {
	names := oddNames()
	at := map[string]uint64{}
	for _, name := range names[:len(names)/2] {
		at[name] = k.swap(k.store, record(name), 0, "named "+name)
	}
	w := k.watch(k.dial(), replicated.KindRecord)
	defer w.stop()
	w.until("it has caught up", func(s *seen) bool { return s.caughtUp })
	for _, name := range names[len(names)/2:] {
		at[name] = k.swap(k.store, record(name), 0, "named "+name)
	}
	for _, name := range names {
		w.shows(record(name), at[name], "named "+name)
	}
	if got := w.keys(); got != len(names) {
		k.Errorf("the watch reported %d keys, want %d", got, len(names))
	}
	for _, name := range names {
		k.delete(k.store, record(name), at[name])
	}
	w.until(fmt.Sprintf("all %d keys are deleted", len(names)), func(s *seen) bool { return s.present() == 0 })
}
