package slslog

import (
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// sampleGroup is the worked sample of a log group, and sampleList the list that holds it.
const (
	sampleGroup = "0a2308f8b2939e0512160a07546573744b6579120b54657374436f6e74656e74" +
		"2515cd5b071a017422093132372e302e302e3132060a016b120176"
	sampleList = "0a3b" + sampleGroup
)

// unhex reads hexadecimal with spaces.
func unhex(tb testing.TB, s string) []byte {
	tb.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	must(tb, err)
	return b
}

// inList makes a page of groups.
func inList(groups ...[]byte) (page []byte) {
	for _, g := range groups {
		page = append(appendLength(page, listGroup, len(g)), g...)
	}
	return page
}

func TestParseSample(t *testing.T) {
	page := unhex(t, sampleList)
	if len(page) != 61 {
		t.Fatalf("the sample has %d bytes, want 61", len(page))
	}
	groups, err := Parse(page)
	if err != nil || len(groups) != 1 {
		t.Fatalf("got %d groups, %v", len(groups), err)
	}
	g := groups[0]
	if string(g.Topic()) != "t" || string(g.Source()) != "127.0.0.1" {
		t.Errorf("topic %q, source %q", g.Topic(), g.Source())
	}
	if g.last(groupCategory) != nil || g.MachineUUID() != nil {
		t.Errorf("category %q, machine %q, want none", g.last(groupCategory), g.MachineUUID())
	}
	if g.Len() != 1 || g.Size() != 59 {
		t.Errorf("Len %d, Size %d, want 1, 59", g.Len(), g.Size())
	}
	if v, ok := g.Tag("k"); !ok || string(v) != "v" {
		t.Errorf("tag k is %q, %v", v, ok)
	}
	if v, ok := g.Tag("x"); ok {
		t.Errorf("tag x is %q", v)
	}
	if n, ok := g.Cursor(); ok {
		t.Errorf("the cursor is %d before it is set", n)
	}
	for log := range g.Logs() {
		if at := time.Unix(1405409656, 123456789); !log.Time().Equal(at) {
			t.Errorf("time %v, want %v", log.Time(), at)
		}
		if log.Size() != 0x23 {
			t.Errorf("size %d", log.Size())
		}
		if v, ok := log.Value("TestKey"); !ok || string(v) != "TestContent" {
			t.Errorf("TestKey is %q, %v", v, ok)
		}
		if v, ok := log.Value("TestKe"); ok {
			t.Errorf("TestKe is %q", v)
		}
	}
}

// TestParseSpellings has what is valid, though no usual encoder writes it.
func TestParseSpellings(t *testing.T) {
	none := twinGroup{topic: "-", source: "-", category: "-", machine: "-"}
	log := func(s, ns uint32, contents ...twinPair) twinGroup {
		g := none
		g.logs = []twinLog{{s, ns, contents}}
		return g
	}
	kv := twinPair{"k", "v"}
	tagged, named := none, none
	tagged.tags = []twinPair{kv, {"", ""}}
	named.topic, named.source, named.category, named.machine = "+b", "+", "+c", "+m"
	for name, c := range map[string]struct {
		page string
		want []twinGroup
	}{
		"nothing":                      {"", []twinGroup{}},
		"an empty group":               {"0a00", []twinGroup{none}},
		"unknown fields of the list":   {"1001 0a00 1a0161 2501020304 190102030405060708", []twinGroup{none}},
		"unknown fields of a group":    {"0a07 3801 420161 4001", []twinGroup{none}},
		"unknown fields of a log":      {"0a0b 0a09 2801 0805 320178 3001", []twinGroup{log(5, 0)}},
		"values, of whatever form":     {"0a0b 0a09 0805 1a0178 1807 1a00", []twinGroup{log(5, 0)}},
		"unknown fields of a content":  {"0a10 0a0e 0805 120a 1801 0a016b 1a00 120176", []twinGroup{log(5, 0, kv)}},
		"value before key":             {"0a0c 0a0a 0805 1206 120176 0a016b", []twinGroup{log(5, 0, kv)}},
		"the last key and value count": {"0a12 0a10 0805 120c 0a0178 120179 0a016b 120176", []twinGroup{log(5, 0, kv)}},
		"the last time counts":         {"0a10 0a0e 0801 2501000000 0805 2502000000", []twinGroup{log(5, 2)}},
		"time behind the contents":     {"0a0c 0a0a 1206 0a016b120176 0805", []twinGroup{log(5, 0, kv)}},
		"time of more than 32 bits":    {"0a0b 0a09 08 8580808080808001", []twinGroup{log(5, 0)}},
		"time written too long":        {"0a07 0a05 08 85808000", []twinGroup{log(5, 0)}},
		"nanoseconds above a second":   {"0a09 0a07 0805 25ffffffff", []twinGroup{log(5, 1<<32-1)}},
		"tags and lengths of 2 and 3 bytes": {
			"8a00 938000 8a00 8e8000 880005 9200 868000 0a016b120176", []twinGroup{log(5, 0, kv)}},
		"lengths of 2 bytes":       {"0a8d00 0a8a00 0805 128500 0a00 128000", []twinGroup{log(5, 0, twinPair{})}},
		"tags":                     {"0a0e 3206 0a016b120176 3204 0a001200", []twinGroup{tagged}},
		"the last name counts":     {"0a14 1a0161 1a0162 220161 2200 120161 120163 2a016d", []twinGroup{named}},
		"strings that are not":     {"0a0c 0a0a 0805 1206 0a01ff 1201fe", []twinGroup{log(5, 0, twinPair{"\xff", "\xfe"})}},
		"the same key twice":       {"0a14 0a12 0805 1206 0a016b120176 1206 0a016b120176", []twinGroup{log(5, 0, kv, kv)}},
		"a log of the time only":   {"0a04 0a02 0800", []twinGroup{log(0, 0)}},
		"the largest field number": {"f8ffffff0f01 0a00", []twinGroup{none}},
	} {
		page := unhex(t, c.page)
		twin, err := twinParse(page)
		if err != nil || !reflect.DeepEqual(twin, c.want) {
			t.Errorf("%s: the twin got %+v, %v, want %+v", name, twin, err, c.want)
		}
		groups, err := Parse(page)
		if got := plain(groups); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, c.want)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		page   string
		offset int
		reason reason
	}{
		"a tag that is cut":                 {"0a00 80", 2, truncated},
		"a length that is cut":              {"0a00 0a", 2, truncated},
		"a long length that is cut":         {"0a00 0a80", 2, truncated},
		"a group that is cut":               {"0a00 0a02 0a", 2, beyondEnd},
		"a length of 64 bits":               {"0a ffffffffffffffffff01", 0, beyondEnd},
		"a length of 63 bits":               {"0a ffffffffffffffff7f", 0, beyondEnd},
		"a length of more":                  {"0a ffffffffffffffffff02", 0, longVarint},
		"a length of eleven bytes":          {"0a 8080808080808080808000", 0, longVarint},
		"a varint that is cut":              {"1080", 0, truncated},
		"a fixed32 that is cut":             {"0a00 25010203", 2, truncated},
		"a fixed64 that is cut":             {"0a00 2101020304050607", 2, truncated},
		"field number 0":                    {"0a00 0201", 2, badNumber},
		"a field number of 30 bits":         {"8080808010 00", 0, badNumber},
		"a field number of 33 bits":         {"8a80808080 01 00", 0, badNumber},
		"wire type 6":                       {"0e", 0, badWireType},
		"wire type 7":                       {"0a00 17", 2, badWireType},
		"start of a group":                  {"13 14", 0, groupWireType},
		"end of a group":                    {"0a01 14", 2, groupWireType},
		"a group that is a number":          {"0801", 0, badWireType},
		"a log that is a number":            {"0a02 0801", 2, badWireType},
		"a topic that is a number":          {"0a02 1801", 2, badWireType},
		"a source that is a fixed32":        {"0a05 2501020304", 2, badWireType},
		"a tag that is a number":            {"0a02 3001", 2, badWireType},
		"a log without a time":              {"0a02 0a00", 2, noTime},
		"a log of contents only":            {"0a0a 0a08 1206 0a016b120176", 2, noTime},
		"a time that is a string":           {"0a05 0a03 0a0178", 4, badWireType},
		"a time that is a fixed32":          {"0a07 0a05 0d00000000", 4, badWireType},
		"a time that is cut":                {"0a05 0a03 088080", 4, truncated},
		"nanoseconds that are a varint":     {"0a06 0a04 0801 2001", 6, badWireType},
		"contents that are a number":        {"0a06 0a04 0801 1001", 6, badWireType},
		"contents beyond the log":           {"0a0c 0a04 0801 1206 0a016b120176", 6, beyondEnd},
		"a content that is cut, in a log":   {"0a06 0a04 0801 1280", 6, truncated},
		"a long content without a key":      {"0a0b 0a09 0801 128300 12 0176 00", 6, noKey},
		"a log beyond the group":            {"0a04 0a03 0801", 2, beyondEnd},
		"a content without a key":           {"0a09 0a07 0801 1203 120176", 6, noKey},
		"a content without a value":         {"0a09 0a07 0801 1203 0a016b", 6, noValue},
		"an empty content":                  {"0a06 0a04 0801 1200", 6, noKey},
		"a value beyond the content":        {"0a0c 0a0a 0801 1206 0a016b120276", 11, beyondEnd},
		"a key beyond the content":          {"0a0c 0a0a 0801 1206 0a056b120176", 8, beyondEnd},
		"a key that is a number":            {"0a0b 0a09 0801 1205 0801 120176", 8, badWireType},
		"bytes behind the value":            {"0a0d 0a0b 0801 1207 0a016b120176 0a", 14, truncated},
		"a tag without a key":               {"0a05 3203 120176", 2, noKey},
		"a tag without a value":             {"0a07 3801 3203 0a016b", 4, noValue},
		"the field beside is checked first": {"0a02 0a00 13", 4, groupWireType},
	} {
		page := unhex(t, c.page)
		want := &DecodeError{Offset: c.offset, reason: c.reason}
		groups, err := Parse(page)
		var got *DecodeError
		if !errors.As(err, &got) || *got != *want || groups != nil {
			t.Errorf("%s: got %d groups, %v, want %v", name, len(groups), err, want)
		}
		if _, err := twinParse(page); !reflect.DeepEqual(err, error(want)) {
			t.Errorf("%s: the twin got %v, want %v", name, err, want)
		}
	}
}

// TestParseEveryCut has all pages that end too early, and all with one byte changed.
func TestParseEveryCut(t *testing.T) {
	page := append(unhex(t, sampleList), unhex(t, sampleList)...)
	for n := range page {
		compare(t, page[:n])
		for _, x := range []byte{1, 2, 4, 7, 8, 0x80, 0xff} {
			changed := append([]byte(nil), page...)
			changed[n] ^= x
			compare(t, changed)
		}
	}
}

func TestParseAnnounced(t *testing.T) {
	page := unhex(t, "0a00 1001 0a00")
	for announced, want := range map[int]error{
		0: &DecodeError{0, tooManyGroups}, 1: &DecodeError{4, tooManyGroups}, 2: nil,
		3: &DecodeError{6, tooFewGroups}, unannounced: nil,
	} {
		if _, err := parse(page, announced); !reflect.DeepEqual(err, want) {
			t.Errorf("%d announced: got %v, want %v", announced, err, want)
		}
	}
}

func TestReasonNames(t *testing.T) {
	seen := map[string]bool{}
	for r := truncated; r <= tooFewGroups; r++ {
		if s := r.String(); s == "" || s == "unknown" || seen[s] {
			t.Errorf("reason %d is %q", r, s)
		}
		seen[r.String()] = true
	}
	if s := reason(200).String(); s != "unknown" {
		t.Errorf("reason 200 is %q", s)
	}
	err := &DecodeError{Offset: 7, reason: noKey}
	if want := "bad page of logs: at offset 7: no key"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

// compare requires that Parse and the twin agree on a page, and returns the groups.
func compare(tb testing.TB, page []byte) []Group {
	tb.Helper()
	want, twinErr := twinParse(page)
	groups, err := Parse(page)
	if !reflect.DeepEqual(err, twinErr) {
		tb.Fatalf("page %x: got %v, the twin %v", page, err, twinErr)
	}
	if err != nil {
		return nil
	}
	if got := plain(groups); !reflect.DeepEqual(got, want) {
		tb.Fatalf("page %x:\ngot  %+v\ntwin %+v", page, got, want)
	}
	return groups
}

// TestDeceptiveLengths has contents that the fast path would take for others, if it
// read their longer lengths as short ones.
func TestDeceptiveLengths(t *testing.T) {
	join := func(parts ...any) (b []byte) {
		for _, p := range parts {
			switch p := p.(type) {
			case string:
				b = append(b, unhex(t, p)...)
			case int:
				b = append(b, make([]byte, p)...)
			}
		}
		return b
	}
	for name, content := range map[string][]byte{
		"a key of 128 bytes that ends like a value": join("0a8001", 127, "12", "1211", 17),
		"a value of 256 bytes and 128 bytes more":   join("0a00 128002", 256, "1a7e", 126),
		"an empty value, its length of 3 bytes":     join("0a00 12808000 1afc7f", 16380),
		"a value whose length is cut":               join("0a00 1280"),
		"a value whose length of 2 bytes is cut":    join("0a00 128080"),
	} {
		log := append(appendLength(join("0801"), logContent, len(content)), content...)
		group := append(appendLength(nil, groupLog, len(log)), log...)
		t.Run(name, func(t *testing.T) { compare(t, inList(group)) })
	}
}

// TestOffsetsBehindLongLengths has one wrong field behind lengths of one to three bytes.
func TestOffsetsBehindLongLengths(t *testing.T) {
	spell := func(number byte, b []byte, zeros int) []byte {
		out := append([]byte{tagBytes(number)}, byte(len(b))|0x80)
		for range zeros {
			out = append(out, 0x80)
		}
		return append(append(out, 0), b...)
	}
	for _, content := range []string{"120176", "0a016b", "0a016b 0801", "0a016b 120576", ""} {
		for zeros := range 3 {
			for outer := range 3 {
				log := append(unhex(t, "0801"), spell(logContent, unhex(t, content), zeros)...)
				group := append(unhex(t, "3801"), spell(groupLog, log, outer)...)
				page := append(unhex(t, "1001"), inList(group)...)
				compare(t, page)
				tag := append(unhex(t, "1a00"), spell(groupTag, unhex(t, content), zeros)...)
				compare(t, append(unhex(t, "1001 0a00"), inList(tag)...))
				noTime := append(unhex(t, "3801"), spell(groupLog, nil, outer)...)
				compare(t, inList(noTime))
			}
		}
	}
}

func TestLookupGoesOn(t *testing.T) {
	log := unhex(t, "0a12 0805 1206 0a016a120176 1206 0a016b120177")
	tags := unhex(t, "3206 0a016a120176 3206 0a016b120177")
	groups, err := Parse(inList(append(log, tags...)))
	must(t, err)
	if v, ok := groups[0].Tag("k"); !ok || string(v) != "w" {
		t.Errorf("the second tag is %q, %v", v, ok)
	}
	for l := range groups[0].Logs() {
		if v, ok := l.Value("k"); !ok || string(v) != "w" {
			t.Errorf("the second content is %q, %v", v, ok)
		}
	}
}
