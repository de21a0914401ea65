package slsserver

import (
	"math"
	"slices"
	"time"

	"go.uber.org/zap"
)

const (
	minSweep = 100 * time.Millisecond
	maxSweep = time.Minute
)

// armSweeper sets the timer that drops expired log groups.
func (s *Server) armSweeper() {
	if s.cfg.Retention == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.sweeper = time.AfterFunc(min(max(s.cfg.Retention/10, minSweep), maxSweep), func() {
			s.sweep(s.cfg.Clock())
			s.armSweeper()
		})
	}
}

func (s *Server) sweep(now time.Time) {
	for _, ls := range s.everyLogstore() {
		drained := false
		for _, sh := range ls.all() {
			drained = sh.expire(now.Add(-s.cfg.Retention).UnixNano()) || drained
		}
		if drained {
			ls.refreshGroups(now)
		}
		if err := ls.removeShards(now, func(sh *shard) bool {
			return now.Sub(sh.closedAt) >= s.cfg.Retention
		}); err != nil {
			s.log.Error("expired shards could not be removed", zap.Error(err))
		}
	}
}

// refreshGroups updates every group after data has expired.
func (ls *logstore) refreshGroups(now time.Time) {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	if err := ls.updateGroups(now); err != nil {
		ls.server.log.Error("a group could not take its shards", zap.String("logstore", ls.name), zap.Error(err))
	}
}

func (ls *logstore) all() []*shard {
	ls.mu.RLock()
	defer ls.mu.RUnlock()
	return slices.Clone(ls.shards)
}

// removeShards removes the read-only shards without data for which remove returns true.
func (ls *logstore) removeShards(now time.Time, remove func(*shard) bool) error {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	gone := func(sh *shard) bool {
		sh.mu.RLock()
		defer sh.mu.RUnlock()
		return sh.readonly() && len(sh.entries) == 0 && remove(sh)
	}
	if !slices.ContainsFunc(ls.shards, gone) {
		return nil
	}
	ls.shards = slices.DeleteFunc(slices.Clone(ls.shards), gone)
	return ls.updateGroups(now)
}

// expireBefore drops a shard's log groups before a cursor. math.MaxInt64 drops all of them, and
// removes the shard if it is read-only.
func (ls *logstore) expireBefore(sh *shard, before int64) error {
	sh.mu.Lock()
	sh.drop(int(min(max(before-sh.first, 0), int64(len(sh.entries)))))
	sh.mu.Unlock()
	if before < math.MaxInt64 {
		ls.refreshGroups(ls.server.cfg.Clock())
		return nil
	}
	return ls.removeShards(ls.server.cfg.Clock(), func(other *shard) bool { return other == sh })
}
