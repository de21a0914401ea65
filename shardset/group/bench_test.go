package group_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/shardset"
	"github.com/rollcall-go/rollcall/shardset/group"
)

const (
	benchShards  = 100_000
	benchMembers = 1_000
)

// crowd is a big group and the members that obey it.
type crowd struct {
	g     *group.Group
	now   time.Time
	beats []shardset.Heartbeat
}

// newCrowd joins all members before there is a shard, so that one SetShards assigns
// everything.
func newCrowd(tb testing.TB, members int) *crowd {
	tb.Helper()
	g, err := group.New(group.Config{TTL: time.Minute})
	if err != nil {
		tb.Fatal(err)
	}
	c := &crowd{g: g, now: simStart}
	for i := range members {
		b := shardset.Heartbeat{Member: fmt.Sprintf("member-%04d", i)}
		b.Instance = 1
		c.beats = append(c.beats, b)
		c.beat(tb, i)
	}
	return c
}

// beat sends the heartbeat of member i and takes its answer.
func (c *crowd) beat(tb testing.TB, i int) {
	b := &c.beats[i]
	b.Seq++
	a, err := c.g.Beat(c.now, *b)
	if err != nil {
		tb.Fatal(err)
	}
	b.Held, b.Generation = a.Grants, a.Generation
}

func bigList() []shardset.Shard {
	return shardset.Range("orders", benchShards)
}

// settled is a crowd in which every member holds what it was given.
func settled(tb testing.TB) *crowd {
	tb.Helper()
	c := newCrowd(tb, benchMembers)
	if err := c.g.SetShards(c.now, bigList()); err != nil {
		tb.Fatal(err)
	}
	for i := range c.beats {
		c.beat(tb, i)
	}
	return c
}

// BenchmarkAssign is the first assignment: 100,000 shards to 1,000 members.
func BenchmarkAssign(b *testing.B) {
	list := bigList()
	for b.Loop() {
		b.StopTimer()
		c := newCrowd(b, benchMembers)
		b.StartTimer()
		if err := c.g.SetShards(c.now, list); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkJoin is one more member: a share of the others' shards is promised to it.
func BenchmarkJoin(b *testing.B) {
	c := settled(b)
	for b.Loop() {
		joiner := shardset.Heartbeat{Member: "zoe"}
		joiner.Instance, joiner.Seq = c.g.Generation()+2, 1
		if _, err := c.g.Beat(c.now, joiner); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		joiner.Seq++
		if err := c.g.Leave(c.now, joiner); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkLeave is one member less: the others get its shards at once.
func BenchmarkLeave(b *testing.B) {
	c := settled(b)
	for b.Loop() {
		bye := c.beats[0]
		bye.Seq++
		bye.Held = nil
		if err := c.g.Leave(c.now, bye); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		// The next one is again the first of a settled thousand.
		c.beats = c.beats[1:]
		last := shardset.Heartbeat{Member: fmt.Sprintf("replacement-%d", c.g.Generation())}
		last.Instance = 1
		c.beats = append(c.beats, last)
		for range 3 { // hear of the revocation, release, settle
			for i := range c.beats {
				c.beat(b, i)
			}
		}
		b.StartTimer()
	}
}

// BenchmarkUnchangedBeat is the heartbeat that a group lives on: nothing is new.
func BenchmarkUnchangedBeat(b *testing.B) {
	c := settled(b)
	i := 0
	for b.Loop() {
		c.beat(b, i)
		i = (i + 1) % len(c.beats)
	}
}

// BenchmarkMemory reports what a settled group keeps, its members' answers included.
func BenchmarkMemory(b *testing.B) {
	var before, after runtime.MemStats
	var c *crowd
	for b.Loop() {
		c = nil
		runtime.GC()
		runtime.ReadMemStats(&before)
		c = settled(b)
		c.beats = nil
		runtime.GC()
		runtime.ReadMemStats(&after)
	}
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/benchShards, "B/shard")
	runtime.KeepAlive(c)
}
