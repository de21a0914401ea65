package slsserver

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// logstore is a set of shards and the groups that consume them.
type logstore struct {
	server  *Server
	project string
	name    string
	days    int // the ttl that the request named; zero: none
	created time.Time

	unrouted atomic.Uint64 // counts the log groups without a hash key, which go to the shards in turn

	mu      sync.RWMutex
	deleted bool     // requests that still run then change nothing
	shards  []*shard // by ID
	next    int      // the next shard's ID
	groups  map[string]*consumerGroup
}

// newLogstore makes a logstore with shards. The caller holds the server's lock.
func newLogstore(s *Server, project string, l Logstore) *logstore {
	ls := &logstore{server: s, project: project, name: l.Name, groups: map[string]*consumerGroup{}}
	now := s.cfg.Clock()
	ls.created = now
	for _, r := range wholeSpace.divide(l.Shards) {
		ls.addShard(r, now, nil)
	}
	return ls
}

// addShard adds a shard with the next ID. The caller holds mu, or is the only user of the logstore.
func (ls *logstore) addShard(r keyRange, now time.Time, parents []int) *shard {
	sh := &shard{id: ls.next, keys: r, parents: parents, created: now, first: now.UnixNano()}
	ls.next++
	ls.shards = append(ls.shards, sh)
	return sh
}

func (ls *logstore) shard(id int) *shard {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	return ls.find(id)
}

// find returns a shard, or nil. The caller holds mu.
func (ls *logstore) find(id int) *shard {
	i, ok := slices.BinarySearchFunc(ls.shards, id, func(sh *shard, id int) int { return sh.id - id })
	if !ok {
		return nil
	}
	return ls.shards[i]
}

func (ls *logstore) group(name string) *consumerGroup {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	return ls.groups[name]
}

// forKey returns the shard that takes a hash key, or nil.
func (ls *logstore) forKey(k hashKey) *shard {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	for _, sh := range ls.shards {
		if _, _, readonly := sh.bounds(); !readonly && sh.keys.has(k) {
			return sh
		}
	}
	return nil
}

// forAny returns the next read-write shard in turn, or nil.
func (ls *logstore) forAny() *shard {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	turn := ls.unrouted.Add(1) - 1
	for i := range ls.shards {
		sh := ls.shards[(turn+uint64(i))%uint64(len(ls.shards))]
		if _, _, readonly := sh.bounds(); !readonly {
			return sh
		}
	}
	return nil
}

// updateGroups gives every group the logstore's shards. The caller holds mu.
func (ls *logstore) updateGroups(now time.Time) error {
	var errs []error
	for _, g := range ls.groups {
		errs = append(errs, g.setShards(now, ls.shards))
	}
	return errors.Join(errs...)
}

func (ls *logstore) close() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, g := range ls.groups {
		g.stop(errClosed) // errClosed tells members to retry; noGroup would tell them that the group is deleted
	}
}
