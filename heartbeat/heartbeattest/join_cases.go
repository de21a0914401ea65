package heartbeattest

func joinCases() []testCase {
	return []testCase{
		{name: "Join/alone", run: joinAlone},
		{name: "Join/logs", shards: twoLogs(), run: joinAlone},
		{name: "Join/restart", run: joinRestart},
	}
}

// A single member receives every shard within a few heartbeats.
func joinAlone(k *kit) {
	a := k.member("a")
	k.until(k.patience, "a holds all shards", holding(a, k.ids...), a)
}

// A process that crashed and restarts at once under its name receives the same shards. It does not wait
// for its old lease to end, and the other members keep their epochs.
func joinRestart(k *kit) {
	a, b := k.joinPair()
	mine, others := a.running(), b.running()
	before := b.owner(b.oneShard()).Lease
	a.crash()
	again := k.member("a")
	k.until(k.patience, "the new process of a holds what the old one held",
		func() bool { return again.running().equal(mine) && b.running().equal(others) }, again, b)
	if after := b.owner(before.ID).Lease; after.Epoch != before.Epoch {
		k.Errorf("a's restart changed the epoch of b's shard %s from %d to %d", before.ID, before.Epoch, after.Epoch)
	}
}
