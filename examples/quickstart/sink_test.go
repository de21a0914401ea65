package main

import (
	"errors"
	"testing"

	"github.com/rollcall-go/rollcall/shardset"
)

func TestSinkCountsEachLineOnce(t *testing.T) {
	s, id := newSink(), shardset.ID{Log: "log", Number: 1}
	put := func(epoch uint64, from, to int) {
		t.Helper()
		for n := from; n < to; n++ {
			if err := s.put(shardset.Lease{ID: id, Epoch: epoch}, line{number: n, sum: uint64(n)}, "text"); err != nil {
				t.Fatal(err)
			}
		}
	}
	put(1, 0, 100)  // commits 60, and dies
	put(2, 60, 80)  // passes the shard on in the middle of the repetition
	put(3, 80, 150) // commits 140, fails, and is started again
	put(3, 140, 200)
	put(5, 190, 200)

	classes, lines, again := s.totals()
	if classes["text"] != 200 || lines != 200 || again != 40+10+10 {
		t.Errorf("%v, %d lines, %d again; want 200 lines, 60 again", classes, lines, again)
	}
	for epoch, want := range map[uint64]int{1: 40, 2: 0, 3: 10, 4: 0, 5: 0} {
		if got := s.again(id, epoch); got != want {
			t.Errorf("%d lines of epoch %d came again, want %d", got, epoch, want)
		}
	}
	if err := s.put(shardset.Lease{ID: id, Epoch: 4}, line{number: 200}, "text"); !errors.Is(err, errStaleEpoch) {
		t.Errorf("a former owner's put: %v", err)
	}
	if lines, next := s.progress(id); lines != 200 || next != 200 {
		t.Errorf("progress = %d, %d", lines, next)
	}
}
