package main

import (
	"bytes"
	"fmt"
	"hash/crc64"
	"testing"
)

func TestSampleIsTheSameLogEveryTime(t *testing.T) {
	data := sample()
	// Written down, so that a change of the generator or of the library is seen.
	if got, want := fmt.Sprintf("%016x", crc64.Checksum(data, crcTable)), "cbdfad79547c775b"; got != want {
		t.Errorf("the sample's checksum is %s, want %s", got, want)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	lines = lines[:len(lines)-1] // it ends with a line ending
	if len(lines) != sampleLines || len(lines) < 20_000 {
		t.Fatalf("the sample has %d lines, want %d", len(lines), sampleLines)
	}
	classes, agents := map[string]int{}, map[string]int{}
	last := ""
	for _, l := range lines {
		l = bytes.TrimRight(l, "\r\n")
		classes[classify(l)]++
		r, ok := parseAccess(l)
		if !ok {
			continue
		}
		agents[r.agent]++
		if r.time < last { // all of one day, so their text is in order
			t.Fatalf("time goes back from %s to %s", last, r.time)
		}
		last = r.time
	}
	for _, want := range []string{"200", "304", "404", "500", "503", "ERROR", "WARN", "INFO", "text"} {
		if classes[want] == 0 {
			t.Errorf("no line is of the class %s: %v", want, classes)
		}
	}
	if odd := classes["text"] + classes["ERROR"] + classes["WARN"] + classes["INFO"]; odd > sampleLines/50 {
		t.Errorf("%d of %d lines are no requests", odd, sampleLines)
	}
	if len(agents) < 8 {
		t.Errorf("there are %d user agents", len(agents))
	}
}
