package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// readable fails the test if to read a document allocates much more than it is long, and
// returns its group; nil: it cannot be read.
func readable(t *testing.T, data []byte, raw int) *group.Group {
	t.Helper()
	var d Document
	var err error
	got := allocates(func() { d, err = DecodeDocument(data) })
	// What takes most is a shard: some 200 bytes, in at least four.
	if limit := uint64(200*raw + 1<<16); got > limit {
		t.Fatalf("columns of %d bytes allocate %d, more than %d: %v", raw, got, limit, err)
	}
	if err != nil {
		if n := len(err.Error()); n > 1000 {
			t.Fatalf("an error of %d bytes", n)
		}
		return nil
	}
	return d.Group
}

// checked fails the test if the group breaks its own rules, or if its document does not
// bring it back.
func checked(t *testing.T, g *group.Group, when string) {
	t.Helper()
	if err := g.Check(); err != nil {
		t.Fatalf("%s: %v", when, err)
	}
	d := Document{Group: g}
	data := d.Encode()
	back, err := DecodeDocument(data)
	if err != nil {
		if d.table().highest() > MaxEpoch {
			t.Skip("it began at the end of all epochs")
		}
		t.Fatalf("%s: it cannot be read again: %v", when, err)
	}
	if again := back.Encode(); !bytes.Equal(again, data) {
		t.Fatalf("%s: a document of %d bytes was read, and is another of %d", when, len(data), len(again))
	}
}

// FuzzColumns makes groups of columns that nobody has written, as a damaged document may
// have them, and has them go on.
func FuzzColumns(f *testing.F) {
	f.Add(false, small().columns())
	f.Add(false, remade().columns())
	changed := small()
	changed.Change = group.TTLChange{Since: 15, Shortest: time.Millisecond, Longest: time.Minute}
	f.Add(false, changed.columns())
	ordered := small()
	ordered.Parents = []group.Lineage{{Child: 1, Parents: []int32{0}}, {Child: 2, Parents: []int32{0, 1}}}
	f.Add(true, ordered.columns())
	f.Fuzz(func(t *testing.T, ordered bool, columns []byte) {
		flags := byte(0)
		if ordered {
			flags = flagOrdered
		}
		g := readable(t, append([]byte{1, 1, flags}, s2.Encode(nil, columns)...), len(columns))
		if g == nil {
			return
		}
		g.Expire(noTime)
		checked(t, g, "as it is")
		b := shardset.Heartbeat{Member: "newcomer"}
		b.Instance, b.Seq = 1<<63, 1
		a, err := g.Beat(noTime, b)
		if err != nil && !errors.Is(err, shardset.ErrReplaced) {
			t.Fatalf("a newcomer is refused: %v", err)
		}
		checked(t, g, "with a newcomer")
		b.Seq, b.Held, b.Generation = 2, a.Grants[:len(a.Grants)/2], a.Generation
		if _, err = g.Beat(noTime, b); err != nil && !errors.Is(err, shardset.ErrReplaced) {
			t.Fatal(err)
		}
		checked(t, g, "when it gave up half")
		var list []shardset.Shard
		s := g.State()
		for i, id := range s.IDs {
			if i%2 == 0 {
				list = append(list, shardset.Shard{ID: id})
			}
		}
		for _, r := range s.Removed {
			list = append(list, shardset.Shard{ID: r.ID})
		}
		if err := g.SetShards(noTime, list); err != nil {
			t.Fatal(err)
		}
		checked(t, g, "with other shards")
		for _, m := range g.Snapshot().Members {
			g.Evict(noTime, m.Name, m.Instance)
			checked(t, g, "after a member was evicted")
		}
	})
}

// FuzzReplica passes a Replica documents and records in any order.
func FuzzReplica(f *testing.F) {
	grants := []shardset.Grant{{ID: shardset.ID{Log: "orders"}, Epoch: 11}}
	alive := Record{Standing: StandingAlive, Heartbeat: shardset.Heartbeat{Member: "a"}}
	alive.Born, alive.Instance, alive.Generation, alive.Held = 3, 5, 20, grants
	dead := Tombstone{Member: "b", Instance: 6}
	later := small()
	later.Generation, later.Shards[0].Epoch = 30, 30
	f.Add(script(
		op{1, 1, small().columns()}, op{2, 2, alive.Encode()}, op{4, 0, nil}, op{3, 1, dead.Encode()}, op{4, 0, nil},
		op{5, 200, nil}, op{1, 1, later.columns()}, op{6, 0, nil}, op{2, 1, nil}, op{7, 0, nil}, op{4, 0, nil},
	))
	f.Add(script(op{1, 1, small().columns()}, op{2, 2, alive.Encode()}, op{1, 1, remade().columns()}, op{4, 0, nil}))
	f.Fuzz(func(t *testing.T, data []byte) { play(t, data) })
}

// remade is the document of a group that was made after small was deleted.
func remade() *table {
	g, err := small().group()
	if err != nil {
		panic(err)
	}
	d := Document{Group: g, Deleted: true}
	next, err := d.Remake(group.Config{TTL: time.Minute, FirstEpoch: 100}, []shardset.Shard{{ID: shardset.ID{Log: "orders"}}})
	if err != nil {
		panic(err)
	}
	return next.table()
}

// op is one thing that happens to a Replica: what, by how much the revision rises or the
// time passes, and what is shown.
type op struct {
	what, by byte
	data     []byte
}

func script(ops ...op) (b []byte) {
	for _, o := range ops {
		b = append(b, o.what, o.by)
		b = append(binary.AppendUvarint(b, uint64(len(o.data))), o.data...)
	}
	return b
}

// play does what a script says, and checks the group after each part.
func play(t *testing.T, data []byte) {
	r, now, revision := NewReplica(), noTime.Add(time.Hour), uint64(0)
	names := []string{"a", "b", "newcomer"}
	in := reader{rest: data}
	for in.err == nil && len(in.rest) > 0 {
		o := op{what: in.byte() % 9, by: in.byte()}
		o.data = []byte(in.text(len(data)))
		revision += uint64(o.by % 4)
		name := names[int(o.by)%len(names)]
		switch o.what {
		case 1:
			raw := append([]byte{1, 1, o.by & (flagOrdered | flagDeleted)}, s2.Encode(nil, o.data)...)
			if v, err := ReadVersion(raw); err == nil {
				_ = r.Adopt(now, revision, v) // it may have gone back
			}
		case 2, 3:
			rec, err := DecodeRecord(name, o.data)
			if err == nil || o.what == 3 {
				r.Observe(now, name, revision, &rec)
			}
		case 4:
			step(t, r, now, &revision)
		case 5:
			now = now.Add(time.Duration(o.by) * 100 * time.Millisecond)
			due, _ := r.ExpiredMembers(now)
			for _, v := range append(due, r.OrphanedRecords(now)...) {
				revision++
				rec := Record{Standing: StandingExpired, Heartbeat: shardset.Heartbeat{Member: v.Member}}
				rec.Instance = v.Instance
				r.Observe(now, v.Member, revision, &rec)
			}
		case 6:
			r.BeginReload(func(string, uint64) bool { return o.by%2 == 0 })
		case 7:
			r.EndReload(now)
		case 8:
			r.Observe(now, name, 0, nil)
		}
		if _, err := r.Pending(); err != nil {
			t.Fatalf("after op %d: %v", o.what, err)
		}
		if r.draft != nil {
			checked(t, r.draft.group, "what the records make of it")
		}
	}
}

// step writes the step that is pending.
func step(t *testing.T, r *Replica, now time.Time, revision *uint64) {
	data, err := r.Step()
	if err != nil {
		t.Fatal(err)
	}
	if data == nil {
		return
	}
	v, err := ReadVersion(data)
	if err != nil {
		t.Skip("it began at the end of all epochs: ", err)
	}
	*revision = max(*revision, r.Revision()) + 1
	if err := r.AdoptWritten(now, *revision, v); err != nil {
		t.Fatal(err)
	}
	if again, err := r.Step(); again != nil || err != nil {
		t.Fatalf("one step after the other: %v", err)
	}
}
