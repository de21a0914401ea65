package state

import (
	"bytes"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// small is a document of two members and three shards, with one more that was taken out.
func small() *table {
	return &table{format: 1, born: 3, State: group.State{
		Config: group.Config{TTL: time.Second, FirstEpoch: 10}, Generation: 20,
		Names: []string{"a", "b", "gone"}, Instances: []uint64{5, 6}, Weights: []int{1, 1}, Former: []bool{false, false},
		IDs: []shardset.ID{{Log: "orders"}, {Log: "orders", Number: 1}, {Log: "orders", Number: 2}},
		Shards: []group.ShardRow{
			{State: group.StateHeld, Owner: 1, Epoch: 11, Granted: 12},
			{State: group.StateTransfer, Owner: 1, Next: 2, Epoch: 11, Granted: 12, Revoked: 13},
			{State: group.StateHeld, Owner: 2, Epoch: 12, Granted: 13},
		},
		Removed: []group.RemovedRow{{ID: shardset.ID{Log: "orders", Number: 7}, Epoch: 11, Granted: 12, Holder: 2}},
	}}
}

// What no group can have written is refused at once, by one short error.
func TestHostileDocuments(t *testing.T) {
	id := func(log string, n int) shardset.ID { return shardset.ID{Log: log, Number: n} }
	long := strings.Repeat("n", 4<<20)
	for name, damage := range map[string]func(*table){
		"a removed shard twice":         func(t *table) { t.Removed = append(t.Removed, t.Removed[0]) },
		"removed shards out of order":   func(t *table) { t.Removed = append(t.Removed, group.RemovedRow{ID: id("orders", 5)}) },
		"listed and removed":            func(t *table) { t.Removed[0].ID.Number = 1 },
		"over, and yet held":            func(t *table) { t.Removed[0].Closed = true },
		"removed, held, without epoch":  func(t *table) { t.Removed[0].Epoch = 0 },
		"a shard twice":                 func(t *table) { t.IDs[1] = t.IDs[0] },
		"shards out of order":           func(t *table) { t.IDs[0], t.IDs[2] = t.IDs[2], t.IDs[0] },
		"logs out of order":             func(t *table) { t.IDs[0] = id("users", 0) },
		"a log twice":                   func(t *table) { t.IDs[1] = id("users", 0) },
		"a bad log":                     func(t *table) { t.IDs[2] = id("users ", 0) },
		"a log of megabytes":            func(t *table) { t.IDs[2] = id(long, 0) },
		"a member of megabytes":         func(t *table) { t.Names[1] = long },
		"a former member of megabytes":  func(t *table) { t.Names[2] = long },
		"a member without a name":       func(t *table) { t.Names[0] = "" },
		"members out of order":          func(t *table) { t.Names[0], t.Names[1] = t.Names[1], t.Names[0] },
		"a member twice":                func(t *table) { t.Names[1] = t.Names[0] },
		"a negative number":             func(t *table) { t.IDs[2] = id("users", -1) },
		"a shard held under no epoch":   func(t *table) { t.FirstEpoch, t.Generation, t.Shards[0].Epoch = 0, 20, 0 },
		"a TTL of 146 years":            func(t *table) { t.TTL = math.MaxInt64/2 + 1 },
		"a TTL of 292 years":            func(t *table) { t.TTL = math.MaxInt64 },
		"a TTL of a microsecond":        func(t *table) { t.TTL = time.Microsecond },
		"a former member that holds":    func(t *table) { t.Former[1], t.Weights[1], t.FormerTTL = true, 0, time.Second },
		"a former member with a weight": func(t *table) { t.Former[0], t.FormerTTL = true, time.Second },
		"a former TTL of 146 years":     func(t *table) { t.FormerTTL = math.MaxInt64/2 + 1 },
		"changed before it was":         func(t *table) { t.Change = group.TTLChange{Since: 21, Shortest: 1, Longest: time.Second} },
		"changed to a longer TTL": func(t *table) {
			t.Change = group.TTLChange{Since: 15, Shortest: time.Millisecond, Longest: time.Second - 1}
		},
		"changed to a shorter TTL": func(t *table) { t.Change = group.TTLChange{Since: 15, Shortest: time.Second + 1, Longest: time.Minute} },
		"changed to what it was":   func(t *table) { t.Change = group.TTLChange{Since: 15, Shortest: time.Second, Longest: time.Second} },
		"changed for 146 years": func(t *table) {
			t.Change = group.TTLChange{Since: 15, Shortest: time.Second, Longest: math.MaxInt64/2 + 1}
		},
		"its own parent": func(t *table) { t.Parents = []group.Lineage{{Child: 1, Parents: []int32{1}}} },
		"its own grandparent": func(t *table) {
			t.Parents = []group.Lineage{{Child: 0, Parents: []int32{1}}, {Child: 1, Parents: []int32{2}}, {Child: 2, Parents: []int32{0}}}
		},
		"parents twice": func(t *table) {
			t.Parents = []group.Lineage{{Child: 1, Parents: []int32{0}}, {Child: 1, Parents: []int32{0}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := small()
			damage(d)
			_, err := DecodeDocument(d.encode())
			if err == nil {
				t.Fatal("it was read")
			}
			if n := len(err.Error()); n > 1000 {
				t.Errorf("the error is %d bytes long", n)
			}
		})
	}
	if _, err := DecodeDocument(small().encode()); err != nil {
		t.Errorf("the same without damage: %v", err)
	}
}

// allocates returns how many bytes do allocates.
func allocates(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// tens of bytes that stand for 16 MiB of columns announce as many of everything as there
// can be. It costs what a group of that size would cost, and not gigabytes.
func TestShortDocumentsAllocateLittle(t *testing.T) {
	columns := func(numbers ...uint64) []byte {
		b := []byte{}
		for _, n := range numbers {
			b = appendNumber(b, n)
		}
		return append(b, make([]byte, maxDocument-len(b))...)
	}
	const second = uint64(time.Second)
	for name, raw := range map[string][]byte{
		"members":        columns(0, 0, 10, second, 0, 0, 0, maxDocument/4-100),
		"former members": columns(0, 0, 10, second, 0, 0, 0, 0, maxDocument/2-100),
		"shards":         columns(0, 0, 10, second, 0, 0, 0, 0, 0, maxDocument-100, 0, maxDocument-100),
		"parents":        columns(0, 0, 10, second, 0, 0, 0, 0, 0, 1, 0, 1, 0, 2, 0, 0, maxDocument/2-100),
		"removed":        columns(0, 0, 10, second, 0, 0, 0, 0, 0, 0, 0, maxDocument-100, 0, maxDocument-100),
	} {
		t.Run(name, func(t *testing.T) {
			data := append([]byte{1, 1, 0}, s2.Encode(nil, raw)...)
			start := time.Now()
			got := allocates(func() {
				if _, err := DecodeDocument(data); err == nil {
					t.Error("it was read")
				}
			})
			t.Logf("%d bytes: %d KiB allocated in %v", len(data), got>>10, time.Since(start))
			if limit := uint64(3 * maxDocument); got > limit {
				t.Errorf("%d bytes of data allocate %d, more than %d", len(data), got, limit)
			}
		})
	}
}

// A record is not compressed, so its own length bounds what it can announce.
func TestHostileRecords(t *testing.T) {
	head := []byte{1, 1, byte(StandingAlive), 0, 5, 1, 9}
	member := strings.Repeat("m", 1<<20)
	names := appendNumber(bytes.Clone(head), 2)
	for name, data := range map[string][]byte{
		"a million shards":   append(appendNumber(bytes.Clone(head), 1<<20), make([]byte, 1<<10)...),
		"shards in no order": append(bytes.Clone(names), 1, 'b', 1, 0, 1, 'a', 1, 0, 0, 0, 0, 0),
		"a log twice":        append(bytes.Clone(names), 1, 'b', 1, 0, 1, 'b', 1, 1, 0, 0, 0, 0),
		"a long log":         append(appendNumber(appendNumber(bytes.Clone(head), 1), 1<<20), make([]byte, 1<<20)...),
		"a number too high":  appendNumber(append(bytes.Clone(names), 0, 2, 1), math.MaxUint64),
		"cut off":            append(bytes.Clone(names), 0),
	} {
		var err error
		got := allocates(func() { _, err = DecodeRecord(member, data) })
		if err == nil || len(err.Error()) > 1000 {
			t.Errorf("%s: an error of %d bytes", name, len(fmt.Sprint(err)))
		}
		if got > 1<<16 {
			t.Errorf("%s: %d bytes allocate %d", name, len(data), got)
		}
	}
}

// A heartbeat may list its shards in any order, and one twice.
func TestRecordSortsItsShards(t *testing.T) {
	a, b := shardset.ID{Log: "a"}, shardset.ID{Log: "b"}
	rec := Record{Standing: StandingAlive, Version: 1, Heartbeat: shardset.Heartbeat{Member: "m"}}
	rec.Held = []shardset.Grant{{ID: b, Epoch: 3}, {ID: a, Epoch: 2}, {ID: b, Epoch: 3}}
	rec.Complete, rec.Closed = []shardset.ID{b, a, a}, []shardset.ID{b, b}
	got, err := DecodeRecord("m", rec.Encode())
	want := rec
	want.Held = []shardset.Grant{{ID: a, Epoch: 2}, {ID: b, Epoch: 3}}
	want.Complete, want.Closed = []shardset.ID{a, b}, []shardset.ID{b}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("it comes back as %+v, %v", got, err)
	}
}

// 100,000 shards that were taken out of the list are some seventy bytes, and honest ones.
func TestManyRetiredShards(t *testing.T) {
	const n = 100_000 // an earlier version remembered all of them
	s := group.State{Config: group.Config{TTL: time.Second, FirstEpoch: 10}, Generation: 10}
	for _, shard := range shardset.Range("orders", n) {
		s.Removed = append(s.Removed, group.RemovedRow{ID: shard.ID, Epoch: 11})
	}
	g, err := group.Restore(noTime, &s)
	if err != nil {
		t.Fatal(err)
	}
	d := Document{Group: g}
	data := d.Encode()
	back, err := DecodeDocument(data)
	if err != nil {
		t.Fatalf("%d bytes: %v", len(data), err)
	}
	if k := len(back.Group.State().Removed); k != n || !bytes.Equal(back.Encode(), data) {
		t.Errorf("of %d removed shards %d came back", n, k)
	}
	back.Group.Expire(noTime)
	after := back.Group.State()
	if k := len(after.Removed); k > 1<<12 || after.FirstEpoch < 11 || back.Group.Changes() == 0 {
		t.Errorf("after an event it remembers %d removed shards, and counts from %d", k, after.FirstEpoch)
	}
}
