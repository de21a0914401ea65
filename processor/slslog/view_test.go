package slslog

import (
	"bytes"
	"reflect"
	"testing"
	"time"
)

func TestViewsShareThePage(t *testing.T) {
	page := unhex(t, sampleList)
	groups, err := Parse(page)
	must(t, err)
	topic := groups[0].Topic()
	clone := groups[0].Clone()
	want := plain(groups)
	var log, logClone Log
	for log = range groups[0].Logs() {
		logClone = log.Clone()
	}
	if !bytes.Equal(topic, []byte("t")) {
		t.Fatalf("topic %q", topic)
	}
	for i := range page {
		page[i] = 0xff
	}
	if string(topic) != "\xff" {
		t.Errorf("topic is %q after the page was overwritten: it is a copy", topic)
	}
	if v, ok := log.Value("TestKey"); ok {
		t.Errorf("TestKey is %q after the page was overwritten: it is a copy", v)
	}
	if got := plain([]Group{clone}); !reflect.DeepEqual(got, want) {
		t.Errorf("the clone is %+v after the page was overwritten, want %+v", got, want)
	}
	if v, ok := logClone.Value("TestKey"); !ok || string(v) != "TestContent" {
		t.Errorf("TestKey of the clone is %q, %v", v, ok)
	}
}

// TestStaleViewsDoNotPanic: a view that was kept too long shows anything, and ends.
func TestStaleViewsDoNotPanic(t *testing.T) {
	page := unhex(t, sampleList)
	for i := range page {
		for x := range 256 {
			stale := append([]byte(nil), page...)
			groups, err := Parse(stale)
			must(t, err)
			stale[i] = byte(x)
			walk(groups)
		}
	}
}

// walk uses every view.
func walk(groups []Group) {
	for _, g := range groups {
		_, _ = g.Tag("k")
		_, _, _ = g.last(groupCategory), g.MachineUUID(), g.Clone()
		for range g.Tags() {
		}
		for l := range g.Logs() {
			_ = l.Time()
			_, _ = l.Value("k")
			for range l.Contents() {
			}
		}
	}
}

func TestAppendToViewCopies(t *testing.T) {
	page := unhex(t, sampleList)
	before := bytes.Clone(page)
	groups, err := Parse(page)
	must(t, err)
	g := groups[0]
	views := [][]byte{g.Topic(), g.Source()}
	for k, v := range g.Tags() {
		views = append(views, k, v)
	}
	for l := range g.Logs() {
		for k, v := range l.Contents() {
			views = append(views, k, v)
		}
	}
	for _, v := range views {
		_ = append(v, "overwritten"...)
	}
	if !bytes.Equal(page, before) {
		t.Errorf("appending to views has changed the page to %x", page)
	}
}

func TestIterationStops(t *testing.T) {
	log := unhex(t, "0a12 0805 1206 0a016b120176 1206 0a016b120177")
	tags := unhex(t, "3206 0a016b120176 3206 0a016b120177")
	groups, err := Parse(inList(bytes.Join([][]byte{log, log, tags}, nil)))
	must(t, err)
	var logs, contents, tagged int
	for l := range groups[0].Logs() {
		logs++
		for _, v := range l.Contents() {
			if contents++; string(v) != "v" {
				t.Errorf("the first value is %q", v)
			}
			break
		}
		if v, _ := l.Value("k"); string(v) != "v" {
			t.Errorf("Value returned %q, want the first one", v)
		}
		break
	}
	for range groups[0].Tags() {
		tagged++
		break
	}
	if logs != 1 || contents != 1 || tagged != 1 {
		t.Errorf("visited %d logs, %d contents, %d tags after a break, want 1 of each", logs, contents, tagged)
	}
	if v, _ := groups[0].Tag("k"); string(v) != "v" {
		t.Errorf("Tag returned %q, want the first one", v)
	}
}

func TestCursors(t *testing.T) {
	groups := make([]Group, 3)
	setCursors(groups, 1447299606896632356)
	for i, g := range groups {
		want := int64(1447299606896632354) + int64(i)
		if got, ok := g.Cursor(); !ok || got != want {
			t.Errorf("group %d has cursor %d, %v, want %d", i, got, ok, want)
		}
		if got, ok := g.Clone().Cursor(); !ok || got != want {
			t.Errorf("the clone of group %d has cursor %d, %v, want %d", i, got, ok, want)
		}
	}
	setCursors(nil, 5)
}

func TestZeroViews(t *testing.T) {
	walk([]Group{{}, Group{}.Clone()})
	if at := (Log{}).Time(); !at.Equal(time.Unix(0, 0)) {
		t.Errorf("the time of no log is %v", at)
	}
	if size := int(reflect.TypeFor[Group]().Size()); size > groupBytes {
		t.Errorf("a Group takes %d bytes, more than groupBytes", size)
	}
}

// TestNothingIsAllocated for groups, logs and contents; only for the page.
func TestNothingIsAllocated(t *testing.T) {
	page := benchPage(t, 64<<10)
	groups, err := Parse(page)
	must(t, err)
	if n := testing.AllocsPerRun(20, func() { _, _ = Parse(page) }); n > 1 {
		t.Errorf("Parse allocates %v times, want 1", n)
	}
	if n := testing.AllocsPerRun(20, func() { sink += touch(groups) }); n != 0 {
		t.Errorf("walking over values allocates %v times", n)
	}
	if n := testing.AllocsPerRun(20, func() {
		for _, g := range groups {
			_, ok := g.Tag("__client_ip__")
			for range g.Tags() {
			}
			for l := range g.Logs() {
				v, _ := l.Value("message")
				sink += l.Time().Nanosecond() + len(v)
			}
			if !ok {
				t.Error("no tag")
			}
		}
	}); n != 0 {
		t.Errorf("looking up allocates %v times", n)
	}
}
