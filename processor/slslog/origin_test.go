package slslog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// made is a shard of the service's list, with keys from one hex digit up to another, that
// was made so many seconds ago.
func made(number int, keys string, ago int, closed bool) sls.Shard {
	return sls.Shard{
		Number: number, ReadOnly: closed, BeginKey: keys[:1] + "000", EndKey: keys[1:] + "000",
		Created: time.Unix(10_000-int64(ago), 0),
	}
}

// has is the store's entry of a shard, saved so many seconds ago; negative: never.
func has(number, ago int) processor.Checkpoint {
	s := processor.Checkpoint{ID: shardset.ID{Log: testLog, Number: number}}
	if ago >= 0 {
		s.Position, s.Updated = "MTA=", time.Unix(10_000-int64(ago), 0)
	}
	return s
}

// fresh is the store's entry of a shard, saved just now.
func fresh(number int) processor.Checkpoint {
	s := has(number, 0)
	s.Updated = time.Now()
	return s
}

// TestYounger: which shards without a checkpoint are read from their first log.
func TestYounger(t *testing.T) {
	// 0 was split into 2 and 3; 1 and 3 were merged into 4; 2 was split into 5 and 6.
	family := []sls.Shard{
		made(0, "08", 900, true), made(1, "8f", 900, true), made(2, "04", 500, true), made(3, "48", 500, true),
		made(4, "4f", 300, false), made(5, "02", 200, false), made(6, "24", 200, false),
	}
	flat := []sls.Shard{made(0, "05", 900, false), made(1, "5a", 900, false), made(2, "af", 900, false)}
	none := []processor.Checkpoint{has(0, -1), has(1, -1), has(2, -1)}
	for name, c := range map[string]struct {
		look snapshot
		want []int // of the shards 0 to 9
	}{
		"new group":                           {snapshot{flat, none, true}, count(3, 10)},
		"new group, of a store without names": {snapshot{flat, nil, true}, count(3, 10)},
		"new group behind old splits":         {snapshot{family, nil, true}, count(7, 10)},
		"others have begun":                   {snapshot{flat, []processor.Checkpoint{has(0, 3), has(1, -1)}, true}, count(3, 10)},
		"a parent was read":                   {snapshot{family[:4], []processor.Checkpoint{has(0, 600), has(1, 1)}, true}, count(2, 10)},
		"only one grandparent was read":       {snapshot{family, []processor.Checkpoint{has(0, 1)}, true}, count(2, 10)},
		"the other grandparent was":           {snapshot{family, []processor.Checkpoint{has(1, 1)}, true}, append([]int{4}, count(7, 10)...)},
		"the parents are gone": {snapshot{[]sls.Shard{made(1, "8f", 900, false), made(5, "02", 200, false), made(6, "28", 200, false)},
			[]processor.Checkpoint{has(1, 201)}, true}, append([]int{0}, count(2, 10)...)},
		"the parents are gone, read since": {snapshot{[]sls.Shard{made(1, "8f", 900, false), made(5, "02", 200, false), made(6, "28", 200, false)},
			[]processor.Checkpoint{has(1, 199)}, true}, append([]int{0, 2, 3, 4}, count(7, 10)...)},
		"a store without times": {snapshot{[]sls.Shard{made(1, "8f", 900, false), made(5, "08", 200, false)},
			[]processor.Checkpoint{{ID: shardset.ID{Number: 1}, Position: "MTA="}}, true}, append([]int{0, 2, 3, 4}, count(6, 10)...)},
		"no keys, no times":       {snapshot{[]sls.Shard{{Number: 0, ReadOnly: true}, {Number: 1}}, []processor.Checkpoint{has(0, 5)}, true}, count(2, 10)},
		"a store that cannot":     {snapshot{family, nil, false}, count(2, 10)},
		"a store that cannot, no": {snapshot{flat, nil, false}, count(3, 10)},

		"no list, new group":                 {snapshot{nil, none, true}, count(3, 10)},
		"no list, new group, nothing known":  {snapshot{nil, nil, true}, nil},
		"no list, older":                     {snapshot{nil, []processor.Checkpoint{has(0, 5), has(1, -1), has(2, 7), has(3, -1), has(4, -1)}, true}, count(3, 10)},
		"no list, no checkpoints to be seen": {snapshot{}, nil},
	} {
		var got []int
		for n := range 10 {
			if c.look.younger(n) {
				got = append(got, n)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: it takes %v for younger, want %v", name, got, c.want)
		}
	}
}

// TestOneSnapshot: the first shard that needs it requests the shards and the checkpoints. All others, even
// much later, use that snapshot.
func TestOneSnapshot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(3)
		src, err := New(s, Options{})
		must(t, err)
		asked := 0
		stored := func(context.Context) ([]processor.Checkpoint, error) {
			asked++
			time.Sleep(time.Second)
			return []processor.Checkpoint{fresh(0)}, nil
		}
		start := batch.Start{Initial: batch.Latest(), Checkpoints: stored}
		open(t, src, 0, batch.Start{Initial: batch.Earliest(), Checkpoints: stored})
		open(t, src, 0, batch.Start{Initial: batch.Latest(), Position: "MTAwMA==", Checkpoints: stored})
		open(t, src, 0, batch.Start{Initial: batch.Latest(), Gap: true, Checkpoints: stored})
		open(t, src, 0, batch.Start{Initial: batch.At(time.Now().Add(time.Hour)), Checkpoints: stored})
		if asked != 0 || s.lists != 0 {
			t.Errorf("where nothing depends on it, it asked for %d lists of checkpoints and %d of shards", asked, s.lists)
		}
		s.put(1, 3)
		s.put(2, 3)
		time.Sleep(10 * time.Second) // more than the clocks may differ
		began := time.Now()
		done := make(chan string, 3)
		for n := range 3 {
			go func() { done <- open(t, src, n, start).cursor }()
		}
		got := []string{<-done, <-done, <-done}
		slices.Sort(got)
		want := []string{formatCursor(1000), formatCursor(2003), formatCursor(3003)}
		slices.Sort(want)
		same(t, "three at once begin", got, want)
		if time.Since(began) != time.Second {
			t.Errorf("three at once took %v", time.Since(began))
		}
		time.Sleep(time.Hour)
		s.mu.Lock()
		s.shards = append(s.shards, &shelfShard{origin: 4000})
		s.mu.Unlock()
		s.put(3, 3)
		s.put(2, 2)
		if at := open(t, src, 3, start).cursor; at != formatCursor(4000) {
			t.Errorf("a shard that came later begins at %q", at)
		}
		if at := open(t, src, 2, start).cursor; at != formatCursor(3003) {
			t.Errorf("one that was there begins at %q, want what was its end then", at)
		}
		if asked != 1 || s.lists != 1 {
			t.Errorf("it asked for %d lists of checkpoints and %d of shards, want one of each", asked, s.lists)
		}
	})
}

// TestSnapshotFails: passing errors are tried again; permanent ones leave a snapshot without a list.
func TestSnapshotFails(t *testing.T) {
	refusal := func(status int, code string) error {
		s := serve(t, 1, slsserver.Config{})
		_, err := s.server.AddFault(slsserver.Fault{Op: "ListShards", Status: status, Code: code, Message: "no"})
		must(t, err)
		_, err = s.ListShards(t.Context())
		return err
	}
	older := func(context.Context) ([]processor.Checkpoint, error) {
		return []processor.Checkpoint{fresh(0), has(1, -1)}, nil
	}
	for name, c := range map[string]struct {
		list    error
		stored  func(context.Context) ([]processor.Checkpoint, error)
		opens   bool
		cursors []int64 // of shards 0 and 1
	}{
		"not allowed to list":         {refusal(401, "Unauthorized"), older, true, []int64{1003, 2000}},
		"not allowed to list, at all": {refusal(403, "Unauthorized"), nil, true, []int64{1003, 2003}},
		"no list that makes sense":    {&sls.ResponseError{}, older, true, []int64{1003, 2000}},
		"busy":                        {refusal(503, "ServerBusy"), older, false, nil},
		"throttled":                   {refusal(403, "ShardReadQuotaExceed"), older, false, nil},
		"no answer":                   {&sls.TransportError{}, older, false, nil},
		"the store fails":             {nil, func(context.Context) ([]processor.Checkpoint, error) { return nil, errors.New("no") }, false, nil},
		"the store cannot": {nil, func(context.Context) ([]processor.Checkpoint, error) {
			return nil, fmt.Errorf("x: %w", errors.ErrUnsupported)
		}, true, []int64{1003, 2003}},
		"neither is there to be asked": {nil, nil, true, []int64{1003, 2003}},
	} {
		s := newShelf(2)
		s.put(0, 3)
		s.put(1, 3)
		s.failList = c.list
		src, err := New(s, Options{})
		must(t, err)
		start := batch.Start{Initial: batch.Latest(), Checkpoints: c.stored}
		if _, err := src.Open(t.Context(), shardset.ID{Log: testLog}, start); (err == nil) != c.opens || processor.IsHalt(err) || processor.IsFatal(err) {
			t.Errorf("%s: %v", name, err)
		}
		if !c.opens { // another time it goes well
			s.failList, start.Checkpoints, c.cursors = nil, older, []int64{1003, 2003}
		}
		for n, want := range c.cursors {
			if got := open(t, src, n, start).cursor; got != formatCursor(want) {
				t.Errorf("%s: shard %d begins at %q, want %d", name, n, got, want)
			}
		}
	}
}

// TestSnapshotIsCancelled: the opening that takes the snapshot is cancelled, and the next one takes it.
func TestSnapshotIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(2)
		src, err := New(s, Options{})
		must(t, err)
		s.listed = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
		ctx, cancel := context.WithCancel(t.Context())
		failed := make(chan error, 2)
		for n := range 2 {
			go func() {
				_, err := src.Open(ctx, shardset.ID{Log: testLog, Number: n}, batch.Start{Initial: batch.Latest()})
				failed <- err
			}()
		}
		synctest.Wait()
		cancel()
		for range 2 {
			if err := <-failed; !errors.Is(err, context.Canceled) {
				t.Errorf("it got %v", err)
			}
		}
		s.listed = nil
		open(t, src, 1, batch.Start{Initial: batch.Latest()})
	})
}

// TestGroupSince: the first try and the oldest checkpoint show how old the group is at least, by the
// service's clock. Our clock is behind it by one to two seconds.
func TestGroupSince(t *testing.T) {
	now := time.Unix(10_000, 0)
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	src, err := New(&shelf{least: time.Second, most: 2 * time.Second}, Options{})
	must(t, err)
	for name, c := range map[string]struct{ seen, stored, want time.Time }{
		"just begun":                     {seen: now},
		"others have begun with it":      {seen: now, stored: ago(0)},
		"others have, by a clock ahead":  {seen: now, stored: now.Add(time.Hour)},
		"begun a while ago":              {seen: ago(time.Minute), want: ago(59 * time.Second)},
		"others have before":             {seen: now, stored: ago(time.Minute), want: ago(time.Minute)},
		"others have long before it":     {seen: ago(time.Second), stored: ago(time.Minute), want: ago(time.Minute)},
		"others have, and long after it": {seen: ago(time.Hour), stored: ago(time.Minute), want: ago(time.Hour - time.Second)},
		"the store does not say":         {seen: ago(time.Hour), want: ago(time.Hour - time.Second)},
	} {
		if got := src.groupSince(now, c.seen, c.stored); !got.Equal(c.want) {
			t.Errorf("%s: the group is there since %v, want %v", name, got, c.want)
		}
	}
	src.client.(*shelf).least, src.client.(*shelf).most = -2*time.Second, -time.Second
	if got := src.groupSince(now, now, ago(time.Minute)); !got.Equal(ago(62 * time.Second)) {
		t.Errorf("with our clock ahead it is there since %v: the store's time may be ours", got)
	}
}
