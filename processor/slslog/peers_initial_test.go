package slslog_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/processor/batch"
)

// Several workers start with Latest, together and one after the other. None of them reads the history of a
// shard that another one has not opened yet. No later log is lost, even if shards are split and another
// worker gets the children.
func TestManyWorkersBeginAtTheEnd(t *testing.T) {
	for _, ordered := range []bool{false, true} {
		t.Run(fmt.Sprintf("ordered %v", ordered), func(t *testing.T) {
			peersTestOn(t, peersConfig, 8, ordered, func(t *testing.T, p *peers) {
				for shard := range 8 {
					p.add(shard, 20, "history")
				}
				time.Sleep(2 * time.Second)
				latest := func(s *peerSetup) { s.batch.Initial = batch.Latest() }
				p.work("a", latest)
				b := p.work("b", latest)
				time.Sleep(300 * time.Millisecond)
				p.work("c", latest)
				time.Sleep(5 * time.Second)
				p.work("d", latest)
				time.Sleep(5 * time.Second)
				p.stream(2*time.Second, 100*time.Millisecond, "news")
				p.split(0, "10")
				p.split(5, "b0")
				p.stream(2*time.Second, 100*time.Millisecond, "news")
				b.end()
				p.split(8, "08")
				p.stream(2*time.Second, 100*time.Millisecond, "news")
				p.work("b", latest)
				p.stream(2*time.Second, 100*time.Millisecond, "news")
				p.await(time.Minute, "all that came later was handled", func() bool { return len(p.missing("news")) == 0 })
				if n := len(p.missing("history")); n != 160 {
					t.Errorf("%d logs of the 160 from before were handled", 160-n)
				}
			})
		})
	}
}
