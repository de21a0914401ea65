package heartbeattest

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func groupCases() []testCase {
	return []testCase{
		{name: "Group/created already", run: groupExists},
		{name: "Group/deleted", delete: true, run: groupDeleted},
	}
}

// Creating a group that exists changes nothing.
func groupExists(k *kit) {
	creator, ok := k.first.client.(heartbeat.Creator)
	if !ok {
		k.Skip("the client cannot create groups")
	}
	a, b := k.pair()
	var kept []shardset.ID
	if a.store != nil {
		kept = a.running()
	}
	for _, id := range kept {
		a.beat()
		b.beat()
		a.commit(id, "kept")
	}
	k.create(creator)
	k.during(k.patience, "the group is as it was", k.settled(a, b), a, b)
	for _, id := range kept {
		a.beat()
		a.stored(id, "kept")
	}
}

// A group that is gone is no eviction and no empty answer: it has its own error. If
// it can be made again, members start over in it, without checkpoints, and under
// higher epochs, because their sinks may remember the old ones.
func groupDeleted(k *kit) {
	a := k.together("a")[0]
	if a.store != nil {
		for _, id := range k.ids {
			a.beat()
			a.commit(id, "of the old group")
		}
	}
	if err := k.Delete(); err != nil {
		k.Fatalf("Delete: %v", err)
	}
	stranger, former := k.puppet("b"), a.puppet()
	k.refuses("a stranger's heartbeat to a deleted group", heartbeat.ErrGroupNotFound, func() error { return stranger.say(0, nil) })
	k.refuses("a member's heartbeat to a deleted group", heartbeat.ErrGroupNotFound, func() error {
		return former.say(a.answer.Generation, a.answer.Grants)
	})
	if a.store != nil {
		if err := a.save(a.owner(k.ids[0]), "to nobody"); err == nil {
			k.Errorf("a save to a deleted group went through")
		}
	}
	creator, ok := k.first.client.(heartbeat.Creator)
	if !ok {
		return
	}
	a.die()
	k.create(creator)
	k.refuses("a heartbeat of a member of the old group", heartbeat.ErrEvicted, func() error {
		return former.say(a.answer.Generation, a.answer.Grants)
	})
	for _, id := range k.ids {
		k.ledger.saved(a.owner(id), "", nil) // what was stored went with the group
	}
	again := k.member("a")
	k.until(k.patience, "a holds all shards of the new group", holding(again, k.ids...), again)
}

// refuses waits until a call is refused with an error that matches want: not every
// process of a replicated service hears at once that the group is gone.
func (k *kit) refuses(what string, want error, call func() error) {
	k.Helper()
	k.until(k.patience, fmt.Sprintf("%s is refused with %q", what, want), func() bool { return errors.Is(call(), want) })
}

// puppet returns the member as one that is played by hand from now on.
func (m *member) puppet() *puppet {
	return &puppet{endpoint: m.endpoint, k: m.k, name: m.name, instance: m.tracker.Instance(), seq: m.report.Seq}
}

func (k *kit) create(c heartbeat.Creator) {
	k.Helper()
	if err := k.retry(func(ctx context.Context) error { return c.Create(ctx) }); err != nil {
		k.Fatalf("Create: %v", err)
	}
}
