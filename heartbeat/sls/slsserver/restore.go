package slsserver

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"
)

// open reads the state of a directory. Whoever held shards when the last process ended is
// not known, so every group recovers: see group.Group.Recover.
func (s *Server) open(dir string) error {
	d, err := openDisk(dir, s.cfg.Sync, s.log)
	if err != nil {
		return err
	}
	s.disk = d
	for name, state := range d.state {
		p := newProject(state.record)
		s.projects[name] = p
		for lsName, ls := range state.logstores {
			restored, err := s.restoreLogstore(ls)
			if err != nil {
				return errors.Join(fmt.Errorf("project %q, logstore %q: %w", name, lsName, err), s.Close())
			}
			p.logstores[lsName] = restored
		}
	}
	return nil
}

func (s *Server) restoreLogstore(state *logstoreState) (*logstore, error) {
	r := state.record
	ls := &logstore{
		server: s, project: r.Project, name: r.Logstore, dir: r.Dir, next: r.Next, days: r.Days,
		created: time.Unix(0, r.Created), groups: map[string]*consumers{},
	}
	for _, sr := range r.Shards {
		sh, err := sr.shard()
		if err != nil {
			return nil, err
		}
		sh.file = s.disk.segments(r.Dir, sh.id)
		if err := sh.load(state.begins[sh.id], s.cfg.RetentionBytes); err != nil {
			return nil, err
		}
		ls.shards = append(ls.shards, sh)
	}
	slices.SortFunc(ls.shards, func(a, b *shard) int { return a.id - b.id })
	for name, g := range state.groups {
		c, err := ls.restoreGroup(g)
		if err != nil {
			return nil, err
		}
		ls.groups[name] = c
	}
	return ls, nil
}

// load fills a shard from its files.
func (sh *shard) load(begin, maxBytes int64) error {
	first := true
	err := sh.file.load(func(cursor int64, e entry) error {
		if first {
			first = false
			sh.first = cursor
		}
		if cursor != sh.end() {
			return fmt.Errorf("cursor %d follows %d", cursor, sh.end()-1)
		}
		sh.push(e, maxBytes)
		return nil
	})
	if err != nil {
		return err
	}
	if first && len(sh.file.bases) > 0 { // a file was begun and nothing written
		sh.first = sh.file.bases[0]
	}
	sh.drop(int(min(max(begin-sh.first, 0), int64(len(sh.entries)))))
	return nil
}

func (ls *logstore) restoreGroup(state *groupState) (*consumers, error) {
	r := state.record
	c, err := newConsumers(ls, r.Group, r.TTL, r.Order)
	if err != nil {
		return nil, err
	}
	c.orderedFrom = r.OrderedFrom
	for id, cp := range state.checkpoints {
		sh := ls.find(id)
		if sh == nil {
			continue // it has expired
		}
		restored := cp.checkpoint()
		// The machine may have lost log groups that the checkpoint has counted. Those that
		// come next get their cursors, and are not to be passed over.
		if end := sh.end(); cp.Cursor > end {
			ls.server.log.Warn("a checkpoint was beyond the end of its shard", zap.String("group", r.Group), zap.Int("shard", id))
			restored.cursor = end
		}
		c.checkpoints[id] = restored
	}
	now := ls.server.cfg.Clock()
	c.recoverUntil = now.Add(c.ttl)
	c.group.Recover(now)
	return c, c.setShards(now, ls.shards)
}
