package shardset

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestIDText(t *testing.T) {
	for _, c := range []struct {
		id   ID
		text string
	}{
		{ID{}, "0"},
		{ID{Number: 7}, "7"},
		{ID{Log: "orders", Number: 7}, "orders/7"},
		{ID{Log: "a.b-c_D9", Number: 0}, "a.b-c_D9/0"},
		{ID{Log: "9", Number: 9}, "9/9"},
		{ID{Log: strings.Repeat("x", maxLogName), Number: 1}, strings.Repeat("x", maxLogName) + "/1"},
	} {
		if got := c.id.String(); got != c.text {
			t.Errorf("%#v.String() = %q, want %q", c.id, got, c.text)
		}
		got, err := ParseID(c.text)
		if err != nil || got != c.id {
			t.Errorf("ParseID(%q) = %#v, %v, want %#v", c.text, got, err, c.id)
		}
	}
}

// One shard has one spelling, otherwise two members could hold it under two names.
func TestParseIDTakesOnlyTheCanonicalForm(t *testing.T) {
	for _, s := range []string{
		"", "/", "/7", "orders", "orders/", "orders/x", "orders//7", "a/b/7",
		"07", "orders/07", "+7", "-7", "-0", "orders/-1", " 7", "7 ", "orders/ 7", "0x7", "7.0", "1_0",
		"9223372036854775808", "-9223372036854775808", "٧",
		".orders/1", "-orders/1", "_orders/1", "ord ers/1", "ord\x00ers/1", "größe/1", "orders\n/1",
		strings.Repeat("x", maxLogName+1) + "/1",
	} {
		id, err := ParseID(s)
		if !errors.Is(err, ErrInvalidID) {
			t.Errorf("ParseID(%q) = %v, %v, want an error that matches ErrInvalidID", s, id, err)
		}
		if id != (ID{}) {
			t.Errorf("ParseID(%q) failed and yet returned %#v", s, id)
		}
	}
}

func TestIDValidate(t *testing.T) {
	for _, c := range []struct {
		id   ID
		want string // part of the error; empty: valid
	}{
		{ID{}, ""},
		{ID{Log: "orders", Number: 1 << 40}, ""},
		{ID{Log: "orders", Number: -1}, `"orders/-1": the number is negative`},
		{ID{Number: -1}, `"-1": the number is negative`},
		{ID{Log: "or/ders"}, `the log name "or/ders" is not 1 to 128 letters`},
		{ID{Log: "..", Number: 1}, `the log name ".."`},
		{ID{Log: strings.Repeat("x", maxLogName+1)}, "is not 1 to 128"},
	} {
		err := c.id.Validate()
		if c.want == "" {
			if err != nil {
				t.Errorf("%#v.Validate() = %v, want nil", c.id, err)
			}
			continue
		}
		if !errors.Is(err, ErrInvalidID) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%#v.Validate() = %v, want ErrInvalidID with %q", c.id, err, c.want)
		}
	}
}

// Numbers compare as numbers: "orders/10" comes after "orders/9".
func TestIDOrder(t *testing.T) {
	sorted := []ID{
		{"", 0}, {"", 1}, {"", 10}, {"Orders", 2}, {"a", 9}, {"a", 10}, {"a.b", 0}, {"ab", 0},
	}
	for i, a := range sorted {
		for j, b := range sorted {
			if got, want := a.Compare(b), cmp.Compare(i, j); got != want {
				t.Errorf("%v.Compare(%v) = %d, want %d", a, b, got, want)
			}
		}
	}
}

func TestIDInJSON(t *testing.T) {
	lag := map[ID]int{{"orders", 10}: 1, {"", 2}: 3}
	text, err := json.Marshal(lag)
	if want := `{"2":3,"orders/10":1}`; err != nil || string(text) != want {
		t.Fatalf("Marshal(%v) = %s, %v, want %s", lag, text, err, want)
	}
	var back map[ID]int
	if err := json.Unmarshal(text, &back); err != nil || back[ID{"orders", 10}] != 1 || back[ID{"", 2}] != 3 || len(back) != 2 {
		t.Errorf("Unmarshal(%s) = %v, %v, want %v", text, back, err, lag)
	}
	if _, err := (ID{Log: "a/b"}).MarshalText(); !errors.Is(err, ErrInvalidID) {
		t.Errorf(`MarshalText of the log "a/b" = %v, want ErrInvalidID`, err)
	}
	id := ID{"orders", 1}
	if err := id.UnmarshalText([]byte("orders/01")); !errors.Is(err, ErrInvalidID) || id != (ID{"orders", 1}) {
		t.Errorf("UnmarshalText(orders/01) = %v and left %v, want ErrInvalidID and orders/1 untouched", err, id)
	}
}

func TestRange(t *testing.T) {
	want := []Shard{{ID: ID{"orders", 0}}, {ID: ID{"orders", 1}}, {ID: ID{"orders", 2}}}
	if got := Range("orders", 3); !reflect.DeepEqual(got, want) {
		t.Errorf("Range(orders, 3) = %v", got)
	}
	for _, n := range []int{0, -1} {
		if got := Range("orders", n); got != nil {
			t.Errorf("Range(orders, %d) = %v, want nil", n, got)
		}
	}
}

// Whatever parses is valid and prints back as it was read.
// An error that quotes what it was given is for a line of a log, however long that is.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("\x00", 1<<20)
	beat := Heartbeat{Member: long}
	_, parse := ParseID(long)
	_, slash := ParseID("/" + long)
	for what, err := range map[string]error{
		"log":           ID{Log: long}.Validate(),
		"number":        ID{Log: long, Number: -1}.Validate(),
		"text":          parse,
		"text with a /": slash,
		"member":        beat.Validate(),
	} {
		if err == nil || len(err.Error()) > 1000 {
			t.Errorf("%s: an error of %d bytes", what, len(fmt.Sprint(err)))
		}
	}
}

func FuzzParseID(f *testing.F) {
	for _, s := range []string{"0", "7", "orders/7", "a.b-c_D9/0", "orders/07", "/7", "a/b/7", "-1", "+1", "", "9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			if !errors.Is(err, ErrInvalidID) || id != (ID{}) {
				t.Errorf("ParseID(%q) = %#v, %v, want no ID and ErrInvalidID", s, id, err)
			}
			return
		}
		if got := id.String(); got != s {
			t.Errorf("ParseID(%q) prints as %q", s, got)
		}
		if err := id.Validate(); err != nil {
			t.Errorf("ParseID(%q) is not valid: %v", s, err)
		}
	})
}
