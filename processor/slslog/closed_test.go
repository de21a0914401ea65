package slslog

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// TestClosedShard ends after its last group, and not earlier.
func TestClosedShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.put(0, 3)
		r := newRig(t, s, Options{}, batch.Start{})
		r.read()
		if c := r.read(); c.End != 0 {
			t.Fatalf("an open shard ended with %v", c.End)
		}
		s.put(0, 2)
		s.close(0)
		began := time.Now()
		got, end := r.all()
		same(t, "read", got, []string{"3", "4"})
		if took := time.Since(began); end != batch.EndClosed || took > defaultShardsEvery+time.Second {
			t.Errorf("it ended with %v after %v", end, took)
		}
		if r.reader.cursor != formatCursor(1005) {
			t.Errorf("it ended at %q", r.reader.cursor)
		}
	})
}

// TestEmptyClosedShard: its end is its beginning, and can be committed.
func TestEmptyClosedShard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.close(0)
		r := newRig(t, s, Options{}, batch.Start{})
		if c := r.read(); c.End != 0 || c.Next != processor.Position(formatCursor(1000)) {
			t.Errorf("the first read: %v at %q", c.End, c.Next)
		}
		synctest.Wait()
		if c := r.read(); c.End != batch.EndClosed || c.Next != processor.Position(formatCursor(1000)) {
			t.Errorf("the second read: %v at %q", c.End, c.Next)
		}
	})
}

// TestClosedDuringARead: during a read, first data comes, then the shard is closed, and then another
// reader requests the list. The read has not seen the data, so it must not end the shard.
func TestClosedDuringARead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		r := newRig(t, s, Options{}, batch.Start{})
		s.afterPull = func(sls.PullRequest) {
			s.afterPull = nil
			s.put(0, 1)
			s.close(0)
			r.source.closed.request(t.Context(), zap.NewNop())
			if !r.source.closed.isClosed(0, r.reader.opened) {
				t.Error("the list did not say it")
			}
		}
		got, end := r.all()
		same(t, "read", got, upTo(1))
		if end != batch.EndClosed {
			t.Errorf("it ended with %v", end)
		}
	})
}

// TestOneListForAll: one request for all shards in each ShardsEvery, and only while a shard is at its
// end.
func TestOneListForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards = 20
		s := newShelf(shards)
		r := newRig(t, s, Options{ShardsEvery: 2 * time.Second}, batch.Start{})
		readers := []*reader{r.reader}
		for i := 1; i < shards; i++ {
			readers = append(readers, open(t, r.source, i, batch.Start{}))
		}
		sweep := func() {
			for _, r := range readers {
				readFrom(t, r, anything)
			}
		}
		for i := range readers {
			s.put(i, 3)
		}
		sweep()
		if s.lists != 0 {
			t.Errorf("%d lists before any shard was at its end", s.lists)
		}
		for range 40 {
			sweep()
			time.Sleep(250 * time.Millisecond)
		}
		if s.lists != 5 {
			t.Errorf("%d lists in 10 s, want 5", s.lists)
		}
	})
}

// A list that was requested before the shard was opened does not close it. The shard may have been opened
// again because that list was wrong.
func TestOldListClosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		s.close(0)
		r := newRig(t, s, Options{}, batch.Start{})
		if _, end := r.all(); end != batch.EndClosed {
			t.Fatalf("it ended with %v", end)
		}
		s.open(0)
		time.Sleep(time.Second)
		again := open(t, r.source, 0, batch.Start{})
		for range 8 {
			if c := readFrom(t, again, anything); c.End != 0 {
				t.Fatalf("it ended with %v", c.End)
			}
			time.Sleep(time.Second)
		}
	})
}
