package heartbeattest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

func checkpointCases() []testCase {
	return []testCase{
		{name: "Checkpoints/none yet", store: true, run: checkpointsNone},
		{name: "Checkpoints/odd positions", store: true, shards: shards(1), run: checkpointsOdd},
		{name: "Checkpoints/one by one", store: true, run: checkpointsApart},
		{name: "Checkpoints/logs", store: true, shards: twoLogs(), run: checkpointsApart},
		{name: "Checkpoints/at once", store: true, run: checkpointsAtOnce},
	}
}

// A shard that was never committed has no position, even when other shards have one.
func checkpointsNone(k *kit) {
	a := k.join("a")[0]
	for i, id := range k.ids {
		a.beat()
		if r := a.started(id); r.found || r.resume != "" {
			k.Errorf("a starts shard %s, which was never committed, from %q (found: %v)", id, r.resume, r.found)
		}
		a.stored(id, "")
		if i == 0 {
			a.commit(id, "somewhere")
		}
	}
}

// A position may be any text, and may go back. Load returns exactly what Save stored.
func checkpointsOdd(k *kit) {
	a := k.join("a")[0]
	id := k.ids[0]
	for _, p := range []processor.Position{
		"0", "-1", "9223372036854775808", "MTQ0NzI5OTYwNjg5NjYzMjM1Ng==", " ", "  two spaces  ", "a\tb\nc\r\nd\n",
		`"quoted" \ and 'so'`, `{"offset": 1, "file": "<a&b>"}`, "null", "%00%2f../../etc", "?a=b&c=d#e", "+", "é", "e\u0301",
		"日本語", "😀", "\u2028", "\x01\x1f\x7f", "\ufeff", processor.Position(strings.Repeat("0123456789abcdef", 256)), "0",
	} {
		a.beat()
		a.commit(id, p)
		a.stored(id, p)
	}
}

// Each shard has a position of its own.
func checkpointsApart(k *kit) {
	a := k.join("a")[0]
	for i, id := range k.ids {
		a.beat()
		a.commit(id, processor.Position(fmt.Sprint("position of ", id)))
		for j, other := range k.ids {
			want := processor.Position("")
			if j <= i {
				want = processor.Position(fmt.Sprint("position of ", other))
			}
			a.stored(other, want)
		}
	}
}

// Shards can commit at the same time. The member sends a heartbeat between two rounds, because
// all rounds together may take longer than a lease.
func checkpointsAtOnce(k *kit) {
	a := k.join("a")[0]
	const rounds = 20
	at := func(id shardset.ID, i int) processor.Position {
		return processor.Position(fmt.Sprintf("%s at %d", id, i))
	}
	for i := range rounds {
		a.beat()
		var all sync.WaitGroup
		for _, id := range k.ids {
			owner := a.owner(id)
			all.Go(func() {
				if err := a.save(owner, at(id, i)); err != nil {
					k.Errorf("saving %q: %v", at(id, i), err)
				}
			})
		}
		all.Wait()
	}
	for _, id := range k.ids {
		a.beat()
		a.stored(id, at(id, rounds-1))
	}
}
