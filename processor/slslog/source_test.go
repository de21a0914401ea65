package slslog

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

func TestOptions(t *testing.T) {
	_, err := New(nil, Options{
		Pause: -1, MaxRaw: -1, ShardsEvery: -1, Query: "*", Processor: "p", Compression: "gzip",
	})
	var faults *shardset.ConfigError
	if !errors.As(err, &faults) {
		t.Fatalf("New returned %v, want a *shardset.ConfigError", err)
	}
	var fields []string
	for _, f := range faults.Faults {
		fields = append(fields, f.Field)
	}
	if want := []string{"Client", "Processor", "Compression", "Pause", "MaxRaw", "ShardsEvery"}; !slices.Equal(fields, want) {
		t.Errorf("the faults are of %v, want %v: %v", fields, want, err)
	}
	for _, text := range []string{`"gzip"`, "Query"} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v does not name %s", err, text)
		}
	}
	src, err := New(newShelf(1), Options{})
	must(t, err)
	if want := (Options{Pause: defaultPause, MaxRaw: defaultMaxRaw, ShardsEvery: defaultShardsEvery}); src.o != want {
		t.Errorf("the defaults are %+v", src.o)
	}
	for _, o := range []Options{{Query: "*"}, {Processor: "p"}, {Compression: sls.Zstd}, {Compression: sls.None}} {
		if _, err := New(newShelf(1), o); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestOptionsReachThePull(t *testing.T) {
	s := newShelf(1)
	newRig(t, s, Options{Query: "* | where a = 'b'", Compression: sls.Zstd}, batch.Start{}).read()
	newRig(t, s, Options{Processor: "stored"}, batch.Start{}).read()
	if p := s.pulls[0]; p.Query != "* | where a = 'b'" || p.Processor != "" || p.Compression != sls.Zstd {
		t.Errorf("pulled %+v", p)
	}
	if p := s.pulls[1]; p.Query != "" || p.Processor != "stored" || p.Compression != "" {
		t.Errorf("pulled %+v", p)
	}
}

func TestWhereItBegins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.most = time.Millisecond
		began := time.Now()
		for range 5 {
			s.put(0, 2)
			time.Sleep(time.Second)
		}
		for name, c := range map[string]struct {
			start batch.Start
			want  int64
		}{
			"earliest":            {batch.Start{Initial: batch.Earliest()}, 1000},
			"latest":              {batch.Start{Initial: batch.Latest()}, 1010},
			"a time":              {batch.Start{Initial: batch.At(began.Add(2 * time.Second))}, 1004},
			"within a second":     {batch.Start{Initial: batch.At(began.Add(2500 * time.Millisecond))}, 1004},
			"a time long ago":     {batch.Start{Initial: batch.At(time.Unix(0, 0))}, 1000},
			"a time before 1970":  {batch.Start{Initial: batch.At(time.Time{})}, 1000},
			"a position":          {batch.Start{Initial: batch.Latest(), Position: processor.Position(formatCursor(1007))}, 1007},
			"a position at a end": {batch.Start{Initial: batch.Earliest(), Position: processor.Position(formatCursor(1010))}, 1010},
		} {
			s.froms = nil
			r := newRig(t, s, Options{}, c.start)
			if r.reader.cursor != formatCursor(c.want) {
				t.Errorf("%s: it begins at %q, want %d", name, r.reader.cursor, c.want)
			}
			if asked := len(s.froms) > 0; asked != (c.start.Position == "") {
				t.Errorf("%s: it asked for a cursor: %v", name, asked)
			}
		}
	})
}

func TestWhatCannotBeOpened(t *testing.T) {
	src, err := New(newShelf(1), Options{})
	must(t, err)
	_, err = src.Open(t.Context(), shardset.ID{Log: "other"}, batch.Start{Initial: batch.Earliest()})
	if !processor.IsFatal(err) || !strings.Contains(err.Error(), `"app"`) {
		t.Errorf("a shard of another logstore: %v", err)
	}
	if _, err = src.Open(t.Context(), shardset.ID{Log: testLog}, batch.Start{}); !processor.IsFatal(err) {
		t.Errorf("no initial position: %v", err)
	}
}

// TestSeveralShards of one Source do not mix.
func TestSeveralShards(t *testing.T) {
	s := newShelf(3)
	s.put(1, 4)
	s.put(2, 7)
	src, err := New(s, Options{})
	must(t, err)
	for shard, want := range []int{0, 4, 7} {
		r := open(t, src, shard, batch.Start{})
		c := readFrom(t, r, anything)
		same(t, "read", contents(c.Items), upTo(want))
		must(t, r.Close())
	}
}
