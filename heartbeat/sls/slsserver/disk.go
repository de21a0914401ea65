package slsserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.uber.org/zap"
)

const (
	journalName    = "journal"
	lockName       = "lock"
	compactAbove   = 4 << 20
	fileMode       = 0o600
	directoryMode  = 0o700
	segmentPattern = "%020d.seg"
)

// disk is the server's directory: a journal of everything but the log groups, and a
// directory of segments for each shard. The names in it are numbers of ours only.
type disk struct {
	dir  string
	sync bool
	log  *zap.Logger
	lock *os.File

	mu      sync.Mutex
	journal *appendFile
	compact int64 // the size at which the journal is written anew
	state   journalState
	dirs    int // the last number given to a logstore
}

// journalState is what the journal says, kept so that it can be written anew without
// asking anybody.
type journalState map[string]*projectState

type projectState struct {
	record    record
	logstores map[string]*logstoreState
}

type logstoreState struct {
	record record
	groups map[string]*groupState
	begins map[int]int64
}

type groupState struct {
	record      record
	checkpoints map[int]checkpointRecord
}

// openDisk opens a directory, creating it if it is absent.
func openDisk(dir string, sync bool, log *zap.Logger) (*disk, error) {
	if err := os.MkdirAll(dir, directoryMode); err != nil {
		return nil, err
	}
	d := &disk{dir: dir, sync: sync, log: log, state: journalState{}}
	var err error
	if d.lock, err = lockFile(filepath.Join(dir, lockName)); err != nil {
		return nil, fmt.Errorf("the directory %q is in use: %w", dir, err)
	}
	name := filepath.Join(dir, journalName)
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, errors.Join(err, d.lock.Close())
	}
	rest := data
	for len(rest) > 0 {
		payload, after, ok := cutFrame(rest)
		var r record
		if !ok || json.Unmarshal(payload, &r) != nil {
			log.Warn("the journal ends in a torn record, which is cut", zap.Int("bytes", len(rest)))
			break
		}
		d.apply(r)
		rest = after
	}
	d.journal, err = openAppend(name, int64(len(data)-len(rest)), sync)
	if err != nil {
		return nil, errors.Join(err, d.lock.Close())
	}
	d.compact = max(compactAbove, 2*d.journal.size)
	if err := d.countDirs(); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// countDirs sees to it that no directory is used twice: one may be left of a logstore that was deleted.
func (d *disk) countDirs() error {
	entries, err := os.ReadDir(d.dir)
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), "-")
		if n, err := strconv.Atoi(number); err == nil && e.IsDir() {
			d.dirs = max(d.dirs, n)
		}
	}
	return err
}

// append writes a record, and with Config.Sync waits for the disk.
func (d *disk) append(r record) error {
	payload, err := json.Marshal(r)
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.journal.write(appendFrame(nil, payload)); err != nil {
		return err
	}
	d.apply(r)
	if d.journal.size > d.compact {
		if err := d.rewrite(); err != nil { // the old one goes on
			d.log.Error("the journal could not be written anew", zap.Error(err))
			d.compact *= 2
		}
	}
	return nil
}

// journal writes a record, if there is a disk.
func (s *Server) journal(r record) error {
	if s.disk == nil {
		return nil
	}
	return s.disk.append(r)
}

// apply brings the state up to a record. What a record refers to and is not there is
// no error: it was deleted at the same time.
func (d *disk) apply(r record) {
	p := d.state[r.Project]
	switch {
	case r.Type == recProject:
		d.state[r.Project] = &projectState{record: r, logstores: map[string]*logstoreState{}}
		return
	case r.Type == recNoProject:
		delete(d.state, r.Project)
		return
	case p == nil:
		return
	}
	l := p.logstores[r.Logstore]
	switch {
	case r.Type == recNoLogstore:
		delete(p.logstores, r.Logstore)
		return
	case l == nil && r.Type != recLogstore:
		return
	case l == nil:
		l = &logstoreState{groups: map[string]*groupState{}, begins: map[int]int64{}}
		p.logstores[r.Logstore] = l
	}
	switch r.Type {
	case recLogstore:
		l.setShards(r)
		d.dirs = max(d.dirs, r.Dir)
		return
	case recBegin:
		l.begins[r.Shard] = r.Cursor
		return
	case recNoGroup:
		delete(l.groups, r.Group)
		return
	}
	g := l.groups[r.Group]
	switch {
	case r.Type == recGroup && g == nil:
		l.groups[r.Group] = &groupState{record: r, checkpoints: map[int]checkpointRecord{}}
	case r.Type == recGroup:
		g.record = r
	case r.Type == recCheckpoint && g != nil:
		for _, cp := range r.Checkpoints {
			g.checkpoints[cp.Shard] = cp
		}
	}
}

// setShards forgets what is known of shards that are gone.
func (l *logstoreState) setShards(r record) {
	l.record = r
	there := map[int]bool{}
	for _, sh := range r.Shards {
		there[sh.ID] = true
	}
	maps.DeleteFunc(l.begins, func(shard int, _ int64) bool { return !there[shard] })
	for _, g := range l.groups {
		maps.DeleteFunc(g.checkpoints, func(shard int, _ checkpointRecord) bool { return !there[shard] })
	}
}

// rewrite replaces the journal by a shorter one that says the same. The caller holds mu.
func (d *disk) rewrite() error {
	var data []byte
	add := func(r record) error {
		payload, err := json.Marshal(r)
		data = appendFrame(data, payload)
		return err
	}
	var errs []error
	for _, project := range slices.Sorted(maps.Keys(d.state)) {
		errs = append(errs, add(d.state[project].record))
		for _, l := range d.state[project].logstores {
			errs = append(errs, add(l.record))
			for shard, begin := range l.begins {
				errs = append(errs, add(record{
					Type: recBegin, Project: project, Logstore: l.record.Logstore, Shard: shard, Cursor: begin,
				}))
			}
			for _, g := range l.groups {
				errs = append(errs, add(g.record))
				r := g.record
				r.Type, r.Checkpoints = recCheckpoint, slices.Collect(maps.Values(g.checkpoints))
				errs = append(errs, add(r))
			}
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	name := filepath.Join(d.dir, journalName)
	if err := replaceFile(name, data); err != nil {
		return err
	}
	old := d.journal
	var err error
	if d.journal, err = openAppend(name, int64(len(data)), d.sync); err != nil {
		// The old file is no longer the journal, so nothing may go there.
		d.journal = &appendFile{broken: err}
	}
	_ = old.close()
	d.compact = max(compactAbove, 2*int64(len(data)))
	return err
}

func (d *disk) nextDir() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dirs++
	return d.dirs
}

func (d *disk) segments(logstore, shard int) *segments {
	dir := filepath.Join(d.dir, fmt.Sprintf("%d-%d", logstore, shard))
	return &segments{dir: dir, sync: d.sync}
}

func (d *disk) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return errors.Join(d.journal.close(), d.lock.Close())
}
