package replicated_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

// reader is a tap that counts the reads of records.
type reader struct {
	*tap
	records *atomic.Int64
}

func (s reader) Get(ctx context.Context, k replicated.Key) (replicated.Value, error) {
	if k.Kind == replicated.KindRecord {
		s.records.Add(1)
	}
	return s.tap.Get(ctx, k)
}

// A member that was never there joins with one write and no look at its record. One that
// starts again, over the record of its former instance, needs a look, and joins likewise.
func TestFirstRecordIsWrittenWithoutARead(t *testing.T) {
	bubble(t, func(r *rig) {
		var records atomic.Int64
		r.wrap = func(s *tap) replicated.Store { return reader{tap: s, records: &records} }
		p := r.process()
		a := p.member("a")
		a.obey()
		if n := records.Load(); n != 0 {
			t.Errorf("the first heartbeat of a member has read %d records", n)
		}
		r.together(a)
		again := p.member("a")
		again.obey()
		if n := records.Load(); n == 0 {
			t.Error("a member that starts again has not looked at its record")
		}
		r.until(rigTTL, "the new instance has all shards", again.has(r.shards), again)
		if rec, _ := r.record("a"); rec.Instance != again.r.Instance {
			t.Errorf("the record is of instance %d, want %d", rec.Instance, again.r.Instance)
		}
	})
}
