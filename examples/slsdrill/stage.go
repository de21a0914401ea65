package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
)

const (
	project  = "drill"
	logstore = "app"
	group    = "workers"
)

// stage is where one drill takes place: a server, a feed and workers.
type stage struct {
	o      *options
	ctx    context.Context
	stderr io.Writer

	server   *slsserver.Server
	front    *http.Server
	endpoint string
	client   *sls.Client // for the feed and for looking
	ledger   *ledger
	workers  []*worker
	feed     *feed

	mu      sync.Mutex // guards the fields below
	beats   map[string]time.Time
	total   int
	refused []refusal
}

// refusal is a commit that the server did not take.
type refusal struct {
	member string
	at     time.Time
}

// newStage starts a server with an empty logstore.
func newStage(ctx context.Context, o *options, shards int, stderr io.Writer) (*stage, error) {
	s := &stage{o: o, ctx: ctx, stderr: stderr, ledger: newLedger(), beats: map[string]time.Time{}}
	var err error
	s.server, err = slsserver.New(slsserver.Config{
		Projects: []slsserver.Project{{Name: project, Logstores: []slsserver.Logstore{{Name: logstore, Shards: shards}}}},
	})
	if err != nil {
		return nil, err
	}
	l, err := s.server.Listen("127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, s.server.Close())
	}
	s.front = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: time.Minute}
	go func() { _ = s.front.Serve(l) }() // until close
	s.endpoint = "http://" + l.Addr().String()
	s.client, err = sls.New(sls.Config{Endpoint: s.endpoint, Project: project, Logstore: logstore, Group: group})
	if err != nil {
		return nil, errors.Join(err, s.server.Close())
	}
	return s, nil
}

// serve passes a request on to the server and takes notes of it.
func (s *stage) serve(w http.ResponseWriter, r *http.Request) {
	worker := strings.HasPrefix(r.UserAgent(), group+"_")
	q := r.URL.Query()
	member, kind := q.Get("consumer"), q.Get("type")
	if !worker {
		s.server.ServeHTTP(w, r)
		return
	}
	s.mu.Lock()
	s.total++
	if kind == "heartbeat" {
		s.beats[member] = time.Now()
	}
	s.mu.Unlock()
	if kind != "checkpoint" {
		s.server.ServeHTTP(w, r)
		return
	}
	status := &statusWriter{ResponseWriter: w, status: http.StatusOK}
	s.server.ServeHTTP(status, r)
	if status.status != http.StatusOK {
		s.mu.Lock()
		s.refused = append(s.refused, refusal{member, time.Now()})
		s.mu.Unlock()
	}
}

// statusWriter remembers the status of an answer.
type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// lastBeat returns when the last heartbeat of a member came.
func (s *stage) lastBeat(member string) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.beats[member]
}

// requests returns how many requests the workers have made.
func (s *stage) requests() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.total
}

// refusals returns how many commits of a member were refused since a time.
func (s *stage) refusals(member string, since time.Time) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.refused {
		if r.member == member && r.at.After(since) {
			n++
		}
	}
	return n
}

// sleep waits.
func (s *stage) sleep(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-s.ctx.Done():
		return context.Cause(s.ctx)
	}
}

// await waits until a condition holds, for a minute at most.
func (s *stage) await(what string, condition func() bool) error {
	end := time.Now().Add(time.Minute)
	for !condition() {
		if time.Now().After(end) {
			return fmt.Errorf("after a minute it is still not so that %s", what)
		}
		if err := s.sleep(5 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// team starts workers and waits until each has its share of the shards.
func (s *stage) team(shards int, names ...string) (team []*worker, err error) {
	for _, name := range names {
		w, err := s.start(name)
		if err != nil {
			return nil, err
		}
		team = append(team, w)
	}
	return team, s.await("all workers have their share", func() bool { return s.balanced(shards, team) })
}

// balanced reports whether the workers hold all shards, within one of each other.
func (s *stage) balanced(shards int, team []*worker) bool {
	held := s.holders()
	n := 0
	for _, w := range team {
		share := held[w.name]
		if share < shards/len(team) || share > (shards+len(team)-1)/len(team) {
			return false
		}
		n += share
	}
	return n == shards
}

// holders returns how many shards each member holds that are in nobody else's sight.
func (s *stage) holders() map[string]int {
	held := map[string]int{}
	state, err := s.server.Group(project, logstore, group)
	if err != nil {
		return held // not created yet
	}
	for _, sh := range state.Shards {
		if sh.Owner != "" && sh.Next == "" {
			held[sh.Owner]++
		}
	}
	return held
}

// close ends everything.
func (s *stage) close() error {
	if s.feed != nil {
		s.feed.stop()
	}
	var faults []error
	for _, w := range s.workers {
		_ = w.cmd.Process.Kill() // those that have not ended
		<-w.done
		faults = append(faults, w.fault())
	}
	return errors.Join(append(faults, s.front.Close(), s.server.Close())...)
}
