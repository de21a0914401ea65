package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/cli"
	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
)

const group = "drill"

// stage is where one drill takes place: three servers, a feed and workers.
type stage struct {
	o      *options
	ctx    context.Context
	dir    string
	stderr io.Writer

	nodes   []*node
	nc      *nats.Conn // for looking
	js      jetstream.JetStream
	stream  partitioned.Stream
	ledger  *ledger
	workers []*worker
	feed    *feed
	pace    []string // more flags for the workers
}

// newStage starts servers with an empty stream.
func newStage(ctx context.Context, o *options, dir string, stderr io.Writer) (s *stage, err error) {
	s = &stage{o: o, ctx: ctx, stderr: io.Discard, ledger: newLedger()}
	if o.verbose {
		s.stderr = stderr
	}
	s.stream = partitioned.Stream{Name: "DRILL", Prefix: "drill", Partitions: o.partitions, Replicas: 3}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp(dir, "stage"); err != nil {
		return s, err
	}
	if s.nodes, err = newNodes(s.dir, 3); err != nil {
		return s, err
	}
	if err := s.all(func(n *node) error { n.flush = o.flush; return n.start(s.stderr) }); err != nil {
		return s, err
	}
	servers := cli.Servers{URLs: s.urls()}
	if s.nc, err = servers.Connect("natsdrill"); err != nil {
		return s, err
	}
	if s.js, err = jetstream.New(s.nc); err != nil {
		return s, err
	}
	return s, cli.Ready(ctx, s.nc, s.js, &s.stream)
}

// all does something with all servers at once.
func (s *stage) all(do func(*node) error) error {
	errs := make([]error, len(s.nodes))
	var all sync.WaitGroup
	for i, n := range s.nodes {
		all.Go(func() { errs[i] = do(n) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// urls are those of all servers.
func (s *stage) urls() string {
	var urls []string
	for _, n := range s.nodes {
		urls = append(urls, n.url())
	}
	return strings.Join(urls, ",")
}

// Streams of the group, by the names that natskv gives to buckets.
const (
	documents = "KV_G_" + natskv.DefaultNamespace
	records   = "KV_M_" + natskv.DefaultNamespace
)

// leader returns the server that leads a stream.
func (s *stage) leader(stream string) (*node, error) {
	for end := time.Now().Add(time.Minute); ; {
		st, err := s.js.Stream(s.ctx, stream)
		if err == nil {
			if c := st.CachedInfo().Cluster; c != nil {
				for _, n := range s.nodes {
					if n.name == c.Leader {
						return n, nil
					}
				}
			}
		}
		if time.Now().After(end) {
			return nil, errors.Join(fmt.Errorf("the stream %s has no leader", stream), err)
		}
		if err := s.sleep(50 * time.Millisecond); err != nil {
			return nil, err
		}
	}
}

// current reports whether every server has all of a stream.
func (s *stage) current(stream string) bool {
	st, err := s.js.Stream(s.ctx, stream)
	if err != nil {
		return false
	}
	c := st.CachedInfo().Cluster
	if c == nil || c.Leader == "" || len(c.Replicas) != len(s.nodes)-1 {
		return false
	}
	for _, peer := range c.Replicas {
		if !peer.Current || peer.Offline {
			return false
		}
	}
	return true
}

// whole waits until the cluster has recovered from the loss of a server: until then
// another loss is the loss of a majority.
func (s *stage) whole() error {
	return s.await("all servers have everything", func() bool {
		return s.current(documents) && s.current(records) && s.current(s.stream.Name)
	})
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

// await waits until a condition holds, for a minute and a lease at most.
func (s *stage) await(what string, condition func() bool) error {
	end := time.Now().Add(time.Minute + s.o.ttl)
	for !condition() {
		if time.Now().After(end) {
			return fmt.Errorf("after a minute and a lease it is still not so that %s", what)
		}
		if err := s.sleep(2 * time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// team starts workers and waits until each works on its share.
func (s *stage) team(names ...string) (team []*worker, err error) {
	for _, name := range names {
		w, err := s.start(name)
		if err != nil {
			return nil, err
		}
		team = append(team, w)
	}
	return team, s.awaitShares(team)
}

// awaitShares waits until the workers work on all shards, within one of each other.
func (s *stage) awaitShares(team []*worker) error {
	return s.await("all workers work on their share", func() bool { return s.balanced(team) })
}

func (s *stage) balanced(team []*worker) bool {
	owners, n, all := s.ledger.owners(), 0, s.stream.Partitions
	for _, w := range team {
		share := owners[w]
		if share < all/len(team) || share > (all+len(team)-1)/len(team) {
			return false
		}
		n += share
	}
	return n == all
}

// begin starts the feed and the workers, and lets them run.
func (s *stage) begin(names ...string) ([]*worker, error) {
	if err := s.startFeed(); err != nil {
		return nil, err
	}
	team, err := s.team(names...)
	if err != nil {
		return nil, err
	}
	return team, s.sleep(s.o.settle)
}

// close ends everything.
func (s *stage) close() error {
	var faults []error
	if s.feed != nil {
		s.feed.kill()
	}
	for _, w := range s.workers {
		faults = append(faults, w.end())
	}
	if s.nc != nil {
		s.nc.Close()
	}
	for _, n := range s.nodes {
		n.kill()
	}
	return errors.Join(faults...)
}
