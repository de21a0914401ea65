package main

import (
	"testing"
	"time"
)

func TestWaits(t *testing.T) {
	var w waits
	if w.quantile(0.5) != 0 {
		t.Error("nothing has a quantile")
	}
	for i := range 1000 {
		w.add(time.Duration(i+1) * time.Millisecond)
	}
	for q, want := range map[float64]time.Duration{0.5: 500 * time.Millisecond, 0.99: 990 * time.Millisecond, 1: time.Second} {
		if got := w.quantile(q); got < want || got > want*104/100 {
			t.Errorf("quantile %v is %v, want about %v", q, got, want)
		}
	}
}

func TestBuckets(t *testing.T) {
	last := -1
	for us := int64(0); us < 1<<50; us += max(1, us/100) {
		d := time.Duration(us) * time.Microsecond
		i := bucket(d)
		if i < last || i > last+1 || upper(i) < d || float64(upper(i)-d) > float64(d)/32+1 {
			t.Fatalf("%v is in bucket %d after %d, up to %v", d, i, last, upper(i))
		}
		last = i
	}
	if i := bucket(1<<63 - 1); i >= len(waits{}.buckets) {
		t.Errorf("the longest is in bucket %d", i)
	}
}
