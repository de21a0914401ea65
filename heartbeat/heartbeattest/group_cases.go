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
	a, b := k.joinPair()
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

// A heartbeat to a deleted group fails with an error of its own. The service neither evicts the member
// nor returns an empty answer. If the client can create the group again, members start without
// checkpoints, but under higher epochs, because their sinks may remember the old epochs.
func groupDeleted(k *kit) {
	a := k.join("a")[0]
	if a.store != nil {
		for _, id := range k.ids {
			a.beat()
			a.commit(id, "of the old group")
		}
	}
	if err := k.Delete(); err != nil {
		k.Fatalf("Delete: %v", err)
	}
	unknown, former := k.manual("b"), a.manual()
	k.refuses("an unknown member's heartbeat to a deleted group", heartbeat.ErrGroupNotFound, func() error { return unknown.beatWith(0, nil) })
	k.refuses("a member's heartbeat to a deleted group", heartbeat.ErrGroupNotFound, func() error {
		return former.beatWith(a.answer.Generation, a.answer.Grants)
	})
	if a.store != nil {
		if err := a.save(a.owner(k.ids[0]), "to a deleted group"); err == nil {
			k.Errorf("a save to a deleted group succeeded")
		}
	}
	creator, ok := k.first.client.(heartbeat.Creator)
	if !ok {
		return
	}
	a.crash()
	k.create(creator)
	k.refuses("a heartbeat of a member of the old group", heartbeat.ErrEvicted, func() error {
		return former.beatWith(a.answer.Generation, a.answer.Grants)
	})
	for _, id := range k.ids {
		k.ledger.saved(a.owner(id), "", nil) // the positions were deleted with the group
	}
	again := k.member("a")
	k.until(k.patience, "a holds all shards of the new group", holding(again, k.ids...), again)
}

// refuses waits until a call returns an error that matches want. It waits because not every process of
// a replicated service knows at once that the group was deleted.
func (k *kit) refuses(what string, want error, call func() error) {
	k.Helper()
	k.until(k.patience, fmt.Sprintf("%s is refused with %q", what, want), func() bool { return errors.Is(call(), want) })
}

// manual returns a manual member with the name, the instance and the numbers of m.
func (m *member) manual() *manual {
	return &manual{endpoint: m.endpoint, k: m.k, name: m.name, instance: m.tracker.Instance(), seq: m.request.Seq}
}

func (k *kit) create(c heartbeat.Creator) {
	k.Helper()
	if err := k.retry(func(ctx context.Context) error { return c.Create(ctx) }); err != nil {
		k.Fatalf("Create: %v", err)
	}
}
