package main

import (
	"strconv"
	"testing"
	"time"
)

// TestBatchesAreBounded, each by its bytes, and all together.
func TestBatchesAreBounded(t *testing.T) {
	b := batches{o: &options{batchBytes: maxBatch, batchLines: 1 << 30, linger: time.Hour}}
	now := time.Now()
	const each = 1 << 20
	sent := 0
	for i := range 400 {
		for _, full := range b.add(record{size: each, route: route{bucket: strconv.Itoa(i % 40)}}, now) {
			sent += full.size
			if full.size > maxBatch || full.size != each*len(full.records) {
				t.Errorf("a batch of %d records has %d bytes", len(full.records), full.size)
			}
		}
		held := 0
		for _, o := range b.open {
			held += o.size
		}
		if held != b.size || held > maxPending || held+sent != (i+1)*each {
			t.Fatalf("record %d: %d bytes are held, %d counted, %d were sent", i, held, b.size, sent)
		}
	}
	if rest := b.rest(); len(rest) == 0 || b.size != 0 || b.rest() != nil {
		t.Errorf("%d batches are the rest", len(rest))
	}
	// One that would become too large goes first.
	b.add(record{size: maxBatch - 1}, now)
	if full := b.add(record{size: 2}, now); len(full) != 1 || full[0].size != maxBatch-1 {
		t.Errorf("%d batches had to go", len(full))
	}
}
