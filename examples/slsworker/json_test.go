package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c\n\r\t\x00\x1f\x7f", "äöü 漢字 🙂", "\xff", "a\xc3", "\xed\xa0\x80b", "\uFFFD", "<&>\u2028"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		var got string
		line := appendText(nil, s)
		if err := json.Unmarshal(line, &got); err != nil || !utf8.Valid(line) || strings.Contains(string(line), "\n") {
			t.Fatalf("%q: %q: %v", s, line, err)
		}
		if want := string([]rune(string(s))); got != want { // each bad byte is a U+FFFD
			t.Errorf("%q: %q", s, got)
		}
		if twin := appendText(nil, string(s)); string(twin) != string(line) {
			t.Errorf("%q as a string: %q", s, twin)
		}
		var value any
		if err := json.Unmarshal(appendValue(nil, s), &value); err != nil {
			t.Fatal(err)
		}
		if text, ok := value.(string); ok != utf8.Valid(s) || ok && text != string(s) {
			t.Errorf("%q is the value %v", s, value)
		}
		if o, ok := value.(map[string]any); ok {
			var back struct{ Base64 []byte }
			if err := json.Unmarshal(appendValue(nil, s), &back); err != nil || len(o) != 1 || string(back.Base64) != string(s) {
				t.Errorf("%q is the value %v: %v", s, value, err)
			}
		}
	})
}
