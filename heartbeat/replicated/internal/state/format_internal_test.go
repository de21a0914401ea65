package state

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

// as has this package be of another version, which writes for readers of least.
func as(version, least byte, do func()) {
	v, l := newest, leastReader
	newest, leastReader = version, least
	defer func() { newest, leastReader = v, l }()
	do()
}

// foreign is a document with this header and something after the part that version 1 knows.
func foreign(header []byte, more ...byte) []byte {
	return append(bytes.Clone(header), s2.Encode(nil, append(small().columns(), more...))...)
}

// What a later version says that it may be read is read; what this one would erase is not
// written; and what it does not know in its own format is damage.
func TestDocumentsOfOtherVersions(t *testing.T) {
	for name, c := range map[string]struct {
		data               []byte
		read, write, newer bool
	}{
		"its own":                        {foreign([]byte{1, 1, 0}), true, true, false},
		"its own, with unknown flags":    {foreign([]byte{1, 1, 0x80}), false, false, false},
		"its own, and more":              {foreign([]byte{1, 1, 0}, 7), false, false, false},
		"later, may be read":             {foreign([]byte{2, 1, 0}), true, false, true},
		"later, with unknown flags":      {foreign([]byte{2, 1, 0x80}), true, false, true},
		"later, and more":                {foreign([]byte{9, 1, 0}, 7, 8, 9), true, false, true},
		"later, for later readers":       {foreign([]byte{2, 2, 0}, 7), false, false, true},
		"without a format":               {foreign([]byte{0, 0, 0}), false, false, false},
		"for readers later than itself":  {foreign([]byte{1, 2, 0}), false, false, false},
		"for readers of no format":       {foreign([]byte{2, 0, 0}), false, false, false},
		"cut off":                        {[]byte{1}, false, false, false},
		"later, may be read, and broken": {append([]byte{2, 1, 0}, s2.Encode(nil, []byte{0, 0, 0, 1})...), false, false, false},
	} {
		v, err := ReadVersion(c.data)
		if (err == nil) != c.read || err != nil && errors.Is(err, ErrNewer) != c.newer {
			t.Errorf("%s: to read it gives %v", name, err)
		}
		_, err = DecodeDocument(c.data)
		if (err == nil) != c.write || errors.Is(err, ErrNewer) != c.newer {
			t.Errorf("%s: to go on from it gives %v", name, err)
		}
		if v == nil {
			continue
		}
		r := NewReplica()
		if err := r.Adopt(simNow, 1, v); err != nil {
			t.Fatal(err)
		}
		if a := r.Answer("a", 5); len(a.Grants) != 1 || a.TTL != time.Second {
			t.Errorf("%s: the answer is %+v", name, a)
		}
		left := Record{Standing: StandingExpired, Heartbeat: shardset.Heartbeat{Member: "a"}}
		left.Instance = 5
		r.Observe(simNow, "a", 2, &left)
		for what, write := range map[string]func() ([]byte, error){
			"a step": r.Step, "a deletion": r.Delete,
			"a change": func() ([]byte, error) {
				return r.Change(func(g *group.Group) error { return g.SetTTL(noTime, time.Minute) })
			},
		} {
			data, err := write()
			if (data != nil) != c.write || errors.Is(err, ErrNewer) != c.newer {
				t.Errorf("%s: %s gives %d bytes, %v", name, what, len(data), err)
			}
		}
		if err := r.Writable(); (err == nil) != c.write {
			t.Errorf("%s: Writable returns %v", name, err)
		}
	}
}

var simNow = time.Unix(1_000_000, 0)

func TestRecordsOfOtherVersions(t *testing.T) {
	rec := Record{Standing: StandingAlive, Born: 3, Heartbeat: shardset.Heartbeat{Member: "m", Instance: 7}}
	data := rec.Encode()
	with := func(version, least, flags byte, more ...byte) []byte {
		b := append(bytes.Clone(data), more...)
		b[0], b[1], b[3] = version, least, flags
		return b
	}
	for name, c := range map[string]struct {
		data        []byte
		read, newer bool
	}{
		"its own":                     {with(1, 1, 0), true, false},
		"its own, with unknown flags": {with(1, 1, 0x80), false, false},
		"its own, and more":           {with(1, 1, 0, 7), false, false},
		"later, may be read":          {with(3, 1, 0x80, 7), true, false},
		"later, for later readers":    {with(3, 2, 0), false, true},
		"for readers of no format":    {with(1, 0, 0), false, false},
	} {
		got, err := DecodeRecord("m", c.data)
		if (err == nil) != c.read || errors.Is(err, ErrNewer) != c.newer {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil && (got.Version != c.data[0] || got.Instance != 7) {
			t.Errorf("%s: it is read as %+v", name, got)
		}
	}
}

// crew is a store, and the replicas of an old and a new process that keep its group.
type crew struct {
	*testing.T
	old, new *Replica
	doc      []byte
	revision uint64
}

// write has one replica step, and shows both the document, which each reads as its version.
func (c *crew) write(r *Replica) {
	c.Helper()
	data, err := r.Step()
	if err != nil {
		c.Fatal(err)
	}
	if data == nil {
		return
	}
	c.doc = data
	c.revision++
	c.show(c.new, 2)
	c.show(c.old, 1)
}

func (c *crew) show(r *Replica, version byte) {
	as(version, 1, func() {
		if v, err := ReadVersion(c.doc); err == nil {
			if err := r.Adopt(simNow, c.revision, v); err != nil {
				c.Fatal(err)
			}
		}
	})
}

// say puts a record, written by a process of this version, into the store.
func (c *crew) say(version byte, name string, s Standing, instance uint64) {
	rec := Record{Standing: s, Born: 9, Heartbeat: shardset.Heartbeat{Member: name, Instance: instance}}
	var data []byte
	as(version, 1, func() { data = rec.Encode() })
	c.revision++
	for version, r := range map[byte]*Replica{1: c.old, 2: c.new} {
		as(version, 1, func() {
			got, err := DecodeRecord(name, data)
			if err != nil {
				c.Fatal(err)
			}
			r.Observe(simNow, name, c.revision, &got)
		})
	}
}

func (c *crew) format(want byte, when string) {
	c.Helper()
	if c.doc[0] != want {
		c.Errorf("%s the format is %d, want %d", when, c.doc[0], want)
	}
}

// A process of a newer version joins a group of an older one. The group goes on in the old
// format, whoever writes it, until the last old member has left; then it takes the new one.
// An old process that comes after that is refused, and writes nothing.
func TestFormatStepsUp(t *testing.T) {
	for _, oldWritesLast := range []bool{false, true} {
		c := &crew{T: t, old: NewReplica(), new: NewReplica(), revision: 1}
		g, err := group.New(group.Config{TTL: time.Second, FirstEpoch: 10})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.SetShards(noTime, []shardset.Shard{{ID: shardset.ID{Log: "orders"}}}); err != nil {
			t.Fatal(err)
		}
		c.doc = (&Document{Group: g, Born: 9}).Encode()
		c.show(c.new, 2)
		c.show(c.old, 1)
		step := func(version byte, when string, want byte) {
			t.Helper()
			r := c.old
			if version == 2 {
				r = c.new
			}
			as(version, 1, func() { c.write(r) })
			c.format(want, when)
		}

		c.say(1, "a", StandingAlive, 1)
		step(1, "with an old member", 1)
		c.say(2, "b", StandingAlive, 1)
		step(2, "with a new member beside it", 1)
		c.say(1, "a", StandingAlive, 2)
		step(2, "with a later instance of the old member", 1)
		c.say(1, "a", StandingLeft, 2)
		if oldWritesLast {
			step(1, "when the old one writes that it has left", 1)
		}
		step(2, "when the old one has left", 2)

		c.say(1, "c", StandingAlive, 1)
		as(1, 1, func() {
			if data, err := c.old.Step(); data != nil || !errors.Is(err, ErrNewer) {
				t.Errorf("an old process steps the new format: %d bytes, %v", len(data), err)
			}
			if a := c.old.Answer("b", 1); len(a.Grants) != 1 {
				t.Errorf("but it may look: %+v", a)
			}
		})
		step(2, "with an old process that came too late", 2)
		if members := slices.Collect(c.new.draft.group.Members); !slices.Equal(members, []string{"b"}) {
			t.Error("it has become a member")
		}
	}
}

// A member whose version is not known, because no record of it was observed, keeps the format old.
func TestFormatWaitsForTheUnknown(t *testing.T) {
	d := small()
	r := NewReplica()
	as(2, 1, func() {
		v, err := ReadVersion(d.encode())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Adopt(simNow, 1, v); err != nil {
			t.Fatal(err)
		}
		for i, want := range []bool{false, true} {
			rec := Record{Standing: StandingAlive, Version: 2, Born: d.born, Heartbeat: shardset.Heartbeat{Member: d.Names[i]}}
			rec.Instance, rec.Held = d.Instances[i], nil
			r.Observe(simNow, rec.Member, uint64(2+i), &rec)
			data, err := r.Step()
			if err != nil {
				t.Fatal(err)
			}
			if got := data != nil && data[0] == 2; got != want {
				t.Errorf("with the records of %d of 2 members the format steps up: %v", i+1, got)
			}
		}
	})
}

// A group that is made anew goes on in the format of the deleted one.
func TestRemakeKeepsTheFormat(t *testing.T) {
	d, err := DecodeDocument(small().encode())
	if err != nil {
		t.Fatal(err)
	}
	as(2, 1, func() {
		next, err := d.Remake(group.Config{TTL: time.Second, FirstEpoch: 1000}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if data := next.Encode(); data[0] != 1 {
			t.Errorf("it is of format %d", data[0])
		}
	})
}

// The document of a deleted group that is put in place of another by force keeps what can be
// read of it, and is always one that this version can read.
func TestTombstone(t *testing.T) {
	for name, c := range map[string]struct {
		data []byte
		kept bool
	}{
		"its own":                  {foreign([]byte{1, 1, 0}), true},
		"later, may be read":       {foreign([]byte{2, 1, 0x80}, 7), true},
		"later, for later readers": {foreign([]byte{2, 2, 0}, 7), false},
		"damaged":                  {[]byte("damaged"), false},
	} {
		data, err := DeletedDocument(c.data, group.Config{TTL: time.Minute, FirstEpoch: 1000})
		if err != nil {
			t.Fatal(err)
		}
		d, err := DecodeDocument(data)
		if err != nil || !d.Deleted || (d.Group.Len() == 2) != c.kept || (d.Group.TTL() == time.Second) != c.kept {
			t.Errorf("%s: deleted %v, %v", name, d.Deleted, err)
		}
	}
	if _, err := DeletedDocument(nil, group.Config{}); err == nil {
		t.Error("a Config without a TTL was taken")
	}
}
