package state_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/rollcall-go/rollcall/heartbeat/replicated/internal/state"
	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// roundTrip fails the test unless a group comes back from its document as it was. Leases are
// not part of a document, and a group that recovers is none that a store keeps.
func roundTrip(t testing.TB, g *group.Group) {
	t.Helper()
	d := state.Document{Group: g, Born: 9, VoidEpoch: 7}
	data := d.Encode()
	back, err := state.DecodeDocument(data)
	if err != nil {
		t.Fatalf("the document of a group cannot be read: %v", err)
	}
	if back.VoidEpoch != 7 || back.Born != 9 || back.Deleted {
		t.Fatalf("epochs up to %d are void, want 7; it was born in %d, want 9; it is deleted: %v", back.VoidEpoch, back.Born, back.Deleted)
	}
	if again := back.Encode(); !bytes.Equal(again, data) {
		t.Fatalf("a document of %d bytes was read and is %d bytes long now", len(data), len(again))
	}
	want, got := timeless(g.Snapshot()), timeless(back.Group.Snapshot())
	if back.Group.Check() == nil { // else it recovers
		back.Group.Expire(time.Time{})
		if again := back.Encode(); !bytes.Equal(again, data) {
			t.Fatal("who reads a document would share its shards out anew")
		}
	}
	if !reflect.DeepEqual(want, got) {
		t.Fatalf("the group was\n%+v\nand comes back as\n%+v", want, got)
	}
}

func timeless(s group.Snapshot) group.Snapshot {
	for i := range s.Members {
		s.Members[i].Expires = time.Time{}
	}
	s.Complete = false
	return s
}

// crowded is a group of members and shards as they are after some churn: everybody has
// joined and obeyed, and every tenth member has come back as a new instance.
func crowded(t testing.TB, members, shards int) *group.Group {
	t.Helper()
	g, err := group.New(group.Config{TTL: time.Minute, FirstEpoch: 1_790_000_000_000})
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]shardset.Shard, shards)
	for i := range ids {
		ids[i].ID = shardset.ID{Log: "orders", Number: i}
	}
	if err := g.SetShards(simStart, ids); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	beats := make([]shardset.Heartbeat, members)
	for i := range beats {
		beats[i].Member = fmt.Sprintf("worker-%05d", rng.IntN(90)*1000+i)
		beats[i].Instance = uint64(1_790_000_000_000+rng.IntN(86_400_000))<<20 | rng.Uint64N(1<<20)
	}
	say := func(i int) {
		beats[i].Seq++
		a, err := g.Beat(simStart, beats[i])
		if err != nil {
			t.Fatal(err)
		}
		beats[i].Held, beats[i].Generation = a.Grants, a.Generation
	}
	for round := range 4 {
		for _, i := range rng.Perm(members) {
			if round == 2 && i%10 == 0 {
				beats[i].Instance++
				beats[i].Seq, beats[i].Held, beats[i].Generation = 0, nil, 0
			}
			say(i)
		}
	}
	return g
}

func TestDocumentIsCompact(t *testing.T) {
	g := crowded(t, 1000, 10_000)
	d := state.Document{Group: g}
	data := d.Encode()
	t.Logf("1,000 members and 10,000 shards: %d bytes", len(data))
	if limit := 64 << 10; len(data) > limit {
		t.Errorf("1,000 members and 10,000 shards take %d bytes, more than %d", len(data), limit)
	}
	roundTrip(t, g)
}

// Whatever happens to a group, it comes back from its document as it was.
func TestDocumentOfEachStep(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 1))
		g, err := group.New(group.Config{TTL: rigTTL, FirstEpoch: 100})
		if err != nil {
			t.Fatal(err)
		}
		beats := map[string]*shardset.Heartbeat{}
		for range 200 {
			name := string(rune('a' + rng.IntN(5)))
			b := beats[name]
			if b == nil {
				b = &shardset.Heartbeat{Member: name}
				b.Instance = rng.Uint64N(1 << 40)
				beats[name] = b
			}
			switch rng.IntN(12) {
			case 0:
				shards := list(rng.IntN(12))
				for i := 1; i < len(shards); i++ {
					if rng.IntN(2) == 0 {
						shards[i].Parents = []shardset.ID{id(rng.IntN(i))}
					}
				}
				err = g.SetShards(time.Time{}, shards)
			case 1:
				err = g.SetTTL(time.Time{}, time.Duration(1+rng.IntN(3))*rigTTL)
			case 2:
				g.SetOrdered(time.Time{}, rng.IntN(2) == 0)
			case 3:
				g.Evict(time.Time{}, name, b.Instance)
				delete(beats, name)
			case 4:
				g, err = g.Successor(time.Time{}, group.Config{TTL: rigTTL}, list(rng.IntN(12)))
				clear(beats)
			case 5:
				b.Weight = rng.IntN(4)
			default:
				b.Seq++
				b.Complete, b.Closed = nil, nil
				for _, h := range b.Held {
					switch rng.IntN(6) {
					case 0:
						b.Complete = append(b.Complete, h.ID)
					case 1:
						b.Closed = append(b.Closed, h.ID)
					}
				}
				a, refused := g.Beat(time.Time{}, *b)
				if refused != nil {
					delete(beats, name)
					break
				}
				b.Held, b.Generation = a.Grants, a.Generation
			}
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if err := g.Check(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			roundTrip(t, g)
		}
	}
}

func TestDeletedDocument(t *testing.T) {
	d := state.Document{Group: crowded(t, 3, 9), Deleted: true, Born: 5, VoidEpoch: 4}
	back, err := state.DecodeDocument(d.Encode())
	if err != nil || !back.Deleted || back.Born != 5 || back.VoidEpoch != 4 || !bytes.Equal(back.Encode(), d.Encode()) {
		t.Errorf("a deleted group comes back as %+v, %v", back, err)
	}
}

// Epochs that no group reaches are damage: a group that went on from there would soon
// have none left.
func TestEpochsOfDocuments(t *testing.T) {
	for _, c := range []struct {
		first, void uint64
		want        bool
	}{{state.MaxEpoch, state.MaxEpoch, true}, {2*state.MaxEpoch + 1, 0, false}, {1, 2*state.MaxEpoch + 1, false}} {
		g, err := group.New(group.Config{TTL: rigTTL, FirstEpoch: c.first})
		if err != nil {
			t.Fatal(err)
		}
		d := state.Document{Group: g, VoidEpoch: c.void}
		data := d.Encode()
		if _, err := state.DecodeDocument(data); (err == nil) != c.want {
			t.Errorf("a document above epoch %d, void up to %d: %v", c.first, c.void, err)
		}
		if c.want {
			g.RaiseEpochs(state.MaxEpoch)
			goOn(t, data)
		}
	}
}

// A document that is cut off, or of which one bit is wrong, is refused or is another
// document: it never makes a group that breaks its own rules later.
func TestDamagedDocument(t *testing.T) {
	g := crowded(t, 5, 20)
	d := state.Document{Group: g}
	data := d.Encode()
	for n := range data {
		if _, err := state.DecodeDocument(data[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were taken for a document", n, len(data))
		}
	}
	for i := range len(data) * 8 {
		bad := bytes.Clone(data)
		bad[i/8] ^= 1 << (i % 8)
		goOn(t, bad)
	}
}

// goOn works with a document, if it is one.
func goOn(t *testing.T, data []byte) {
	d, err := state.DecodeDocument(data)
	if err != nil {
		return
	}
	g := d.Group
	b := shardset.Heartbeat{Member: "newcomer"}
	b.Instance, b.Seq = 1, 1
	if _, err := g.Beat(time.Time{}, b); err != nil && !errors.Is(err, shardset.ErrReplaced) && !errors.Is(err, shardset.ErrEvicted) {
		t.Fatalf("a newcomer is refused: %v", err)
	}
	for _, m := range g.Snapshot().Members {
		if m.Name != "newcomer" {
			g.Evict(time.Time{}, m.Name, m.Instance)
		}
	}
	if n := len(g.Snapshot().Members); n > 1 {
		t.Fatalf("%d members are left when all but one were evicted", n)
	}
	again := state.Document{Group: g, VoidEpoch: d.VoidEpoch}
	if _, err := state.DecodeDocument(again.Encode()); err != nil {
		t.Fatalf("what went on from a document cannot be read: %v", err)
	}
}

// orphan is a document of no shards, of which the first has parents.
func orphan() []byte {
	const ttl = 10 // seconds
	columns := binary.AppendUvarint([]byte{0, 0, 0}, ttl*1e9)
	columns = append(columns, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0)
	return append([]byte{1, 1, 0}, s2.Encode(nil, columns)...)
}

func TestOrphanedDocument(t *testing.T) {
	if _, err := state.DecodeDocument(orphan()); err == nil {
		t.Error("a document with the parents of a shard that it has not was read")
	}
	if _, err := state.ReadVersion(orphan()); err == nil {
		t.Error("and adopted")
	}
}

func FuzzDocument(f *testing.F) {
	for _, n := range []int{0, 1, 4} {
		d := state.Document{Group: crowded(f, n, 3*n), VoidEpoch: 5}
		f.Add(d.Encode())
	}
	gone := state.Document{Group: crowded(f, 1, 3), Deleted: true}
	f.Add(gone.Encode())
	f.Add(orphan())
	f.Fuzz(func(t *testing.T, data []byte) { goOn(t, data) })
}

func record(s state.Standing, name string, instance, generation uint64, held ...shardset.Grant) state.Record {
	rec := state.Record{Standing: s, Version: 1}
	rec.Member, rec.Instance, rec.Generation, rec.Held = name, instance, generation, held
	return rec
}

func TestRecordRoundTrip(t *testing.T) {
	full := record(state.StandingAlive, "worker.1/ä", 1<<63+5, 1_790_000_000_000,
		shardset.Grant{ID: shardset.ID{Number: 3}, Epoch: 12},
		shardset.Grant{ID: shardset.ID{Log: "events", Number: 3}, Epoch: 1_790_000_000_004},
		shardset.Grant{ID: shardset.ID{Log: "events", Number: 4}, Epoch: 1_790_000_000_003},
		shardset.Grant{ID: shardset.ID{Log: "orders", Number: 0}, Epoch: 1})
	full.Weight, full.Leaving = 1000, true
	full.Complete = []shardset.ID{{Log: "events", Number: 4}}
	full.Closed = []shardset.ID{{Log: "orders", Number: 2}, {Log: "orders", Number: 9}}
	for _, rec := range []state.Record{
		full, record(state.StandingLeft, "m", 1, 0), record(state.StandingExpired, strings.Repeat("m", 128), 7, 0),
	} {
		got, err := state.DecodeRecord(rec.Member, rec.Encode())
		if err != nil || !reflect.DeepEqual(got, rec) {
			t.Errorf("%+v comes back as %+v, %v", rec, got, err)
		}
		for n := range rec.Encode() {
			if _, err := state.DecodeRecord(rec.Member, rec.Encode()[:n]); err == nil {
				t.Errorf("the first %d bytes of a record were taken for one", n)
			}
		}
	}
}

func FuzzRecord(f *testing.F) {
	rec := record(state.StandingAlive, "m", 5, 6, shardset.Grant{ID: shardset.ID{Log: "l", Number: 3}, Epoch: 12})
	f.Add(rec.Encode())
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		rec, err := state.DecodeRecord("m", data)
		if err != nil {
			return
		}
		rec.Version = 1 // this process writes it
		if again, err := state.DecodeRecord("m", rec.Encode()); err != nil || !reflect.DeepEqual(again, rec) {
			t.Errorf("%+v comes back as %+v, %v", rec, again, err)
		}
	})
}
