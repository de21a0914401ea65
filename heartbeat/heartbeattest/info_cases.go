package heartbeattest

import (
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

func infoCases() []testCase {
	return []testCase{
		{name: "Info/abilities", run: infoAbilities},
		{name: "Info/same for all", run: infoSame},
	}
}

// The client has exactly the abilities that the service promises.
func infoAbilities(k *kit) {
	has := k.info.Guarantees
	if _, ok := k.first.client.(heartbeat.Leaver); ok != has.Leave {
		k.Errorf("the service promises %s; that %T is a Leaver is %v", has, k.first.client, ok)
	}
	if _, ok := k.first.client.(heartbeat.Notifier); ok != has.Push {
		k.Errorf("the service promises %s; that %T is a Notifier is %v", has, k.first.client, ok)
	}
	if has.FencedCommit && k.first.store == nil {
		k.Errorf("the service promises %s and keeps no checkpoints", has)
	}
}

// Info is the same for every process and at any time.
func infoSame(k *kit) {
	a, b := k.joinPair()
	for _, m := range []*member{a, b, k.member("c")} {
		if got := m.client.Info(); got != k.info {
			k.Errorf("Info of %s is %+v; it was %+v", m.name, got, k.info)
		}
	}
}

// twoLogs is a group that spans two logs, whose shards have the same numbers.
func twoLogs() []shardset.Shard {
	return append(shardset.Range("events", 3), shardset.Range("orders", 3)...)
}
