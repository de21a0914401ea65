package slslog

import (
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

// TestReleasedBuffer: the views of a page show the next one, its clones do not.
func TestReleasedBuffer(t *testing.T) {
	pool := newBuffers(1 << 20)
	open := func(topic string) (*buffer, Group) {
		var b Builder
		must(t, b.SetTopic(topic))
		raw := inList(b.Bytes())
		buf := pool.take(len(raw))
		page, err := decompress(buf.b, raw, sls.None, len(raw))
		must(t, err)
		groups, err := parse(page, 1)
		must(t, err)
		return buf, groups[0]
	}
	first, view := open("first")
	clone := view.Clone()
	first.release()
	_, second := open("other")
	if string(view.Topic()) != "other" || string(clone.Topic()) != "first" {
		t.Errorf("the view's topic is %q, the clone's %q", view.Topic(), clone.Topic())
	}
	first.release()
	if _, third := open("third"); string(second.Topic()) != "other" {
		t.Errorf("a late release gave %q the memory of another page", third.Topic())
	}
}
