package slsserver

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/shardset"
)

// Server is an SLS-compatible server. It is an http.Handler. Listen and Serve put it on the
// network, with limits and timeouts. Safe for concurrent use.
type Server struct {
	cfg    Config
	log    *zap.Logger
	keys   atomic.Pointer[keyring]
	faults faultList
	pages  pageCache
	ids    requestIDs

	inFlight atomic.Int64
	counts   map[string]*atomic.Int64 // by operation; not changed after New
	net      network

	// mu guards the maps of projects and logstores. The order of locks is: the server's, a
	// logstore's, a group's, a shard's.
	mu       sync.RWMutex
	projects map[string]*project
	sweeper  *time.Timer
	closed   bool
}

type project struct {
	name        string
	description string
	created     time.Time
	logstores   map[string]*logstore
	processors  map[string]*filter
}

// New returns a server with the projects of cfg. The error is a *shardset.ConfigError that lists
// every fault. Close the server when you do not need it any more.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, log: cfg.Logger, projects: map[string]*project{}, counts: map[string]*atomic.Int64{}}
	for op := range handlers {
		s.counts[op] = new(atomic.Int64)
	}
	s.ids.init()
	ring := newKeyring(cfg.Keys)
	s.keys.Store(&ring)
	for _, p := range cfg.Projects {
		if err := s.ensure(p); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	s.armSweeper()
	return s, nil
}

// ensure creates a project of the config, with its stored queries and logstores. It accepts names
// that exist.
func (s *Server) ensure(p Project) error {
	if err := s.makeProject(p.Name, ""); err != nil && !errors.Is(err, errExists) {
		return err
	}
	for id, query := range p.Processors {
		f, err := parseQuery(query)
		if err != nil {
			return err
		}
		s.projects[p.Name].processors[id] = f
	}
	for _, l := range p.Logstores {
		if err := s.CreateLogstore(p.Name, l); err != nil && !errors.Is(err, errExists) {
			return err
		}
	}
	return nil
}

var (
	errExists   = errors.New("it exists already")
	errNotFound = errors.New("it does not exist")
)

func (s *Server) makeProject(name, description string) error {
	if !validName(name) {
		return fmt.Errorf("slsserver: bad project name %q", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return fmt.Errorf("slsserver: %w", http.ErrServerClosed)
	case s.projects[name] != nil:
		return fmt.Errorf("slsserver: project %q: %w", name, errExists)
	case len(s.projects) >= maxProjects:
		return fail(403, "ProjectQuotaExceed", "the server already has %d projects, the maximum", maxProjects)
	}
	s.projects[name] = &project{
		name: name, description: description, created: s.cfg.Clock(),
		logstores: map[string]*logstore{}, processors: map[string]*filter{},
	}
	return nil
}

// CreateLogstore creates a logstore in a project that exists.
func (s *Server) CreateLogstore(projectName string, l Logstore) error {
	return s.makeLogstore(projectName, l, 0)
}

func (s *Server) makeLogstore(projectName string, l Logstore, days int) error {
	faults := &shardset.ConfigError{Config: "slsserver.Logstore"}
	l.check(faults, "", s.cfg.MaxShards)
	if err := faults.Err(); err != nil {
		return err
	}
	if l.Shards == 0 {
		l.Shards = defaultShards
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.projects[projectName]
	switch {
	case s.closed:
		return fmt.Errorf("slsserver: %w", http.ErrServerClosed)
	case p == nil:
		return fmt.Errorf("slsserver: project %q: %w", projectName, errNotFound)
	case p.logstores[l.Name] != nil:
		return fmt.Errorf("slsserver: logstore %q: %w", l.Name, errExists)
	case len(p.logstores) >= maxLogstores:
		return fail(403, "ProjectQuotaExceed", "the project already has %d logstores, the maximum", maxLogstores)
	}
	ls := newLogstore(s, projectName, l)
	ls.days = days
	p.logstores[l.Name] = ls
	return nil
}

// logstoreNames returns the names of a project's logstores, sorted.
func (s *Server) logstoreNames(projectName string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.projects[projectName]; p != nil {
		return slices.Sorted(maps.Keys(p.logstores))
	}
	return nil
}

func (s *Server) findLogstore(projectName, name string) (*logstore, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.lookUp(projectName, name)
}

// lookUp returns a logstore. The caller holds mu.
func (s *Server) lookUp(projectName, name string) (*logstore, error) {
	p := s.projects[projectName]
	if p == nil {
		return nil, noProject(projectName)
	}
	if ls := p.logstores[name]; ls != nil {
		return ls, nil
	}
	return nil, noLogstore(name)
}

// everyLogstore returns the logstores of all projects.
func (s *Server) everyLogstore() []*logstore {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var all []*logstore
	for _, p := range s.projects {
		for _, ls := range p.logstores {
			all = append(all, ls)
		}
	}
	return all
}

// Close stops listening, waits up to 2 s for running requests, and stops all timers. Later requests
// get 503.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	if s.sweeper != nil {
		s.sweeper.Stop()
	}
	s.mu.Unlock()
	err := s.net.close()
	for _, ls := range s.everyLogstore() {
		ls.close()
	}
	return err
}

func (s *Server) isClosed() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.closed
}

// Stats returns how many requests came for each operation, refused ones included. A request that is
// refused before its operation is known does not count. The operations have the names of Fault.Op.
func (s *Server) Stats() map[string]int64 {
	stats := make(map[string]int64, len(s.counts))
	for op, n := range s.counts {
		stats[op] = n.Load()
	}
	return stats
}
