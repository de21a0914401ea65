package heartbeattest

import "time"

func standbyCases() []testCase {
	return []testCase{{name: "Standby/takes over", shards: shards(2), run: standby}}
}

// Members without a shard get answers, and one of them takes over the shard of a holder that
// crashes.
func standby(k *kit) {
	members := k.join("a", "b", "c", "d")
	k.during(k.ttl+k.ttl/2, "two of four members hold a shard each", k.settled(members...), members...)
	var expired *member
	var rest []*member
	for _, m := range members {
		if since := time.Since(m.sent); since > k.ttl/2 {
			k.Errorf("%s was last answered %v ago; its last error: %v", m.name, since, m.err)
		}
		if expired == nil && len(m.running()) > 0 {
			expired = m
		} else {
			rest = append(rest, m)
		}
	}
	k.answered(expired)
	expired.crash()
	k.until(time.Until(expired.back.Add(k.expiry())), "a standby has the shard of "+expired.name+", which expired",
		k.settled(rest...), rest...)
	if early := k.ttl - time.Since(expired.sent); early > 0 {
		k.Errorf("the shard moved %v before the lease of %s ended", early, expired.name)
	}
}
