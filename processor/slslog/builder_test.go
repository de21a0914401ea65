package slslog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestBuilderSample(t *testing.T) {
	var b Builder
	for range 2 { // the second time in the memory of the first
		must(t, b.AddLog(time.Unix(1405409656, 123456789), Content{"TestKey", []byte("TestContent")}))
		must(t, b.SetTopic("t"))
		must(t, b.SetSource("127.0.0.1"))
		must(t, b.AddTag("k", "v"))
		if got := hex.EncodeToString(b.Bytes()); got != sampleGroup {
			t.Fatalf("got  %s\nwant %s", got, sampleGroup)
		}
		if b.Len() != 1 || b.Size() != 59 {
			t.Errorf("Len %d, Size %d, want 1, 59", b.Len(), b.Size())
		}
		b.Reset()
		if b.Len() != 0 || b.Size() != 0 || len(b.Bytes()) != 0 {
			t.Errorf("Len %d, Size %d after Reset", b.Len(), b.Size())
		}
	}
}

// TestBuilderRoundTrip builds groups of anything and reads them back, here and with the
// twin.
func TestBuilderRoundTrip(t *testing.T) {
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	text := func(most int) string {
		b := make([]byte, rnd.IntN(most+1))
		for i := range b {
			b[i] = byte(rnd.Uint32())
		}
		return string(b)
	}
	sizes := []int{0, 1, 20, 127, 128, 200, 16383, 16384, 20000}
	var b Builder
	for range 500 {
		b.Reset()
		want := twinGroup{topic: "-", source: "-", category: "-", machine: "-"}
		for range rnd.IntN(4) { // set again, the last one counts
			want.topic, want.source = "+"+text(200), "+"+text(20)
			must(t, b.SetTopic(want.topic[1:]))
			must(t, b.SetSource(want.source[1:]))
		}
		want.topic, want.source = emptyIsNone(want.topic), emptyIsNone(want.source)
		for range rnd.IntN(3) {
			p := twinPair{text(128), text(300)}
			must(t, b.AddTag(p.key, p.value))
			want.tags = append(want.tags, p)
		}
		for range rnd.IntN(5) {
			l := twinLog{seconds: rnd.Uint32() >> rnd.IntN(32)}
			if rnd.IntN(2) == 0 {
				l.nanos = rnd.Uint32N(1e9)
			}
			var contents []Content
			for range rnd.IntN(6) {
				p := twinPair{text(128), text(sizes[rnd.IntN(len(sizes))])}
				l.contents = append(l.contents, p)
				contents = append(contents, Content{p.key, []byte(p.value)})
			}
			must(t, b.AddLog(time.Unix(int64(l.seconds), int64(l.nanos)), contents...))
			want.logs = append(want.logs, l)
			if rnd.IntN(3) == 0 {
				_ = b.Bytes() // must not disturb what follows
			}
		}
		if b.Size() != len(b.Bytes()) || b.Len() != len(want.logs) {
			t.Fatalf("seed %d: Size %d of %d bytes, Len %d of %d", seed, b.Size(), len(b.Bytes()), b.Len(), len(want.logs))
		}
		groups := compare(t, inList(b.Bytes()))
		if got := plain(groups); !reflect.DeepEqual(got, []twinGroup{want}) {
			t.Fatalf("seed %d:\ngot  %+v\nwant %+v", seed, got, want)
		}
	}
}

func emptyIsNone(s string) string {
	if s == "+" {
		return "-"
	}
	return s
}

func TestBuilderLimits(t *testing.T) {
	at := time.Unix(5, 0)
	long := strings.Repeat("k", MaxKeyBytes+1)
	// A log of one content: 2 of time, 4 before the content, 3 of key, 4 before the value.
	const around = 2 + 4 + 3 + 4
	largest := make([]byte, MaxLogBytes-around)
	var b Builder
	for name, c := range map[string]struct {
		add  func() error
		want error
	}{
		"a key of a content": {
			func() error { return b.AddLog(at, Content{"k", nil}, Content{long, nil}) },
			&LimitError{What: "key", Size: 129, Max: 128}},
		"a key of a tag": {
			func() error { return b.AddTag(long, "") },
			&LimitError{What: "key", Size: 129, Max: 128}},
		"a log": {
			func() error { return b.AddLog(at, Content{"k", append(largest, 0)}) },
			&LimitError{What: "log", Size: MaxLogBytes + 1, Max: MaxLogBytes}},
		"a topic": {
			func() error { return b.SetTopic(strings.Repeat("t", MaxGroupBytes)) },
			&LimitError{What: "log group", Size: MaxGroupBytes + 5, Max: MaxGroupBytes, GroupFull: true}},
		"a source": {
			func() error { return b.SetSource(strings.Repeat("t", MaxGroupBytes)) },
			&LimitError{What: "log group", Size: MaxGroupBytes + 5, Max: MaxGroupBytes, GroupFull: true}},
		"a tag": {
			func() error { return b.AddTag("k", strings.Repeat("t", MaxGroupBytes)) },
			&LimitError{What: "log group", Size: MaxGroupBytes + 13, Max: MaxGroupBytes, GroupFull: true}},
		"1969": {func() error { return b.AddLog(time.Unix(-1, 0)) }, ErrLogTime},
		"2106": {func() error { return b.AddLog(time.Unix(1<<32, 0)) }, ErrLogTime},
	} {
		if err := c.add(); !reflect.DeepEqual(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
		if b.Size() != 0 || b.Len() != 0 {
			t.Fatalf("%s: was refused and left %d bytes", name, b.Size())
		}
	}
	must(t, b.AddLog(at, Content{long[:MaxKeyBytes], nil}))
	must(t, b.AddLog(time.Unix(1<<32-1, 999999999)))
	must(t, b.AddLog(at, Content{"k", largest}))
}

func TestBuilderIsFilledToTheLastByte(t *testing.T) {
	var b Builder
	value := make([]byte, 900<<10)
	var full *LimitError
	for {
		before := bytes.Clone(b.Bytes())
		err := b.AddLog(time.Unix(5, 0), Content{"k", value})
		if err == nil {
			continue
		}
		if !errors.As(err, &full) || !full.GroupFull || full.Max != MaxGroupBytes {
			t.Fatalf("got %v", err)
		}
		if !bytes.Equal(b.Bytes(), before) {
			t.Fatal("a refused log has changed the group")
		}
		break
	}
	if want := b.Size() + 900<<10 + 17; full.Size != want {
		t.Errorf("the full group would have %d bytes, want %d", full.Size, want)
	}
	left := MaxGroupBytes - b.Size()
	if err := b.SetTopic(strings.Repeat("t", left-2)); left > 130 && !errors.As(err, &full) {
		t.Errorf("a topic of %d bytes too much: got %v", full.Size-full.Max, err)
	}
	topic := strings.Repeat("t", left-1-uvarintSize(uint64(left)))
	must(t, b.SetTopic(topic))
	must(t, b.SetTopic(topic)) // it takes the place of itself
	if b.Size() != MaxGroupBytes {
		t.Errorf("size %d, want %d", b.Size(), MaxGroupBytes)
	}
	if err := b.AddTag("", ""); !errors.As(err, &full) || full.Size != MaxGroupBytes+6 {
		t.Errorf("a tag more: got %v", err)
	}
}

func TestBuilderAllocatesNothing(t *testing.T) {
	var b Builder
	value := []byte("value")
	if n := testing.AllocsPerRun(100, func() {
		b.Reset()
		_ = b.SetTopic("topic")
		_ = b.AddTag("k", "v")
		for range 10 {
			_ = b.AddLog(time.Unix(5, 6), Content{"a", value}, Content{"b", value})
		}
		sink += len(b.Bytes())
	}); n != 0 {
		t.Errorf("a group in memory that was used before allocates %v times", n)
	}
}

func TestLimitNames(t *testing.T) {
	err := &LimitError{What: "key", Size: 129, Max: 128}
	if want := "key of 129 bytes, the limit is 128"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}
