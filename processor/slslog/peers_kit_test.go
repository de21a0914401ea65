package slslog_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

// Times of the group in these tests.
const (
	peerInterval = 2 * time.Second
	peerTimeout  = 6 * time.Second
)

// peers is a server with one logstore, the workers that read it, and a record of what
// went over the lines between them.
type peers struct {
	t      testing.TB
	shards int
	srv    *slsserver.Server
	admin  *sls.Client // over a line of its own, whose calls are not recorded

	mu          sync.Mutex // guards the fields below
	unreachable bool
	calls       []peerCall
	put         map[int]string // the numbers of the logs that were put, and their kinds
	begun       []handling     // in the order of time
	handled     []handling
	workers     []*peerWorker
}

// handling is a log that a handler was given.
type handling struct {
	n, shard int
	member   string
	at       time.Time
}

// peersTest runs a test in a bubble, with a server of that many shards. At the end
// it stops the workers and checks what must hold in any case.
func peersTest(t *testing.T, shards int, test func(t *testing.T, p *peers)) {
	peersTestOn(t, peersConfig, shards, false, test)
}

// peersConfig is the server of most tests.
var peersConfig slsserver.Config

func peersTestOn(t *testing.T, cfg slsserver.Config, shards int, ordered bool, test func(t *testing.T, p *peers)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		cfg.Projects = []slsserver.Project{{
			Name: "p", Logstores: []slsserver.Logstore{{Name: "log", Shards: shards}},
			Processors: map[string]string{"few": fewOnly},
		}}
		srv, err := slsserver.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p := &peers{t: t, srv: srv, shards: shards, put: map[int]string{}}
		t.Cleanup(func() {
			for _, w := range p.workers {
				w.stop()
				<-w.done
			}
			p.check(p.srv.Close())
		})
		p.admin = p.client("", func(c *sls.Config) { c.Ordered = ordered })
		p.check(p.admin.Create(t.Context()))
		test(t, p)
		p.verify()
	})
}

// fewOnly is a filter that lets pass what was put as "few".
const fewOnly = "* | where kind = 'few'"

func (p *peers) check(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// setUnreachable cuts the server off, or connects it again.
func (p *peers) setUnreachable(yes bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.unreachable = yes
}

// server returns the server, or nil while it is unreachable.
func (p *peers) server() http.Handler {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unreachable {
		return nil
	}
	return p.srv
}

func (p *peers) fault(f slsserver.Fault) {
	p.t.Helper()
	_, err := p.srv.AddFault(f)
	p.check(err)
}

// client returns a client over a line of the member's own.
func (p *peers) client(member string, f func(*sls.Config)) *sls.Client {
	p.t.Helper()
	cfg := sls.Config{
		Endpoint: "http://127.0.0.1", Project: "p", Logstore: "log", Group: "g", Timeout: peerTimeout,
		Member: member, MustExist: true, Transport: &peerLine{world: p, member: member},
	}
	f(&cfg)
	c, err := sls.New(cfg)
	p.check(err)
	return c
}

// add puts n logs of a kind into a shard that is there from the start, each in a group of
// its own, and returns the number of the first.
func (p *peers) add(shard, n int, kind string) int {
	p.t.Helper()
	return p.addKey(fmt.Sprintf("%02x%030x", shard*256/p.shards, 0), n, kind)
}

// addKey puts them where the hash key is.
func (p *peers) addKey(key string, n int, kind string) int {
	p.t.Helper()
	first := 0
	for i := range n {
		p.mu.Lock()
		number := len(p.put)
		p.put[number] = kind
		p.mu.Unlock()
		if i == 0 {
			first = number
		}
		var b slslog.Builder
		p.check(b.AddLog(time.Now(), slslog.Content{Key: "n", Value: strconv.AppendInt(nil, int64(number), 10)},
			slslog.Content{Key: "kind", Value: []byte(kind)}))
		p.check(p.admin.Put(p.t.Context(), b.Bytes(), sls.PutOptions{HashKey: key}))
	}
	return first
}

// stream puts one log of a kind into each shard every period, for a time.
func (p *peers) stream(d, period time.Duration, kind string) {
	p.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(period) {
		for shard := range p.shards {
			p.add(shard, 1, kind)
		}
	}
}

// peerSetup is what a test may change about a worker.
type peerSetup struct {
	coordinator.Config
	batch  batch.Options[slslog.Group]
	source slslog.Options
	client func(*sls.Config)
	// handle, unless it is nil, is called for each batch with the numbers of its logs.
	handle func(ctx context.Context, b *batch.Batch[slslog.Group], logs []int) error
	// factory, unless it is nil, wraps the processors.
	factory func(processor.Factory) processor.Factory
}

// peerWorker is a coordinator that runs.
type peerWorker struct {
	*coordinator.Coordinator
	world *peers
	line  *peerLine
	stop  context.CancelFunc
	done  chan struct{}
	err   error
}

// work starts a worker.
func (p *peers) work(name string, change func(*peerSetup)) *peerWorker {
	p.t.Helper()
	s := peerSetup{client: func(*sls.Config) {}}
	s.Interval = peerInterval
	if change != nil {
		change(&s)
	}
	w := &peerWorker{world: p, done: make(chan struct{})}
	client := p.client(name, func(cfg *sls.Config) {
		w.line = cfg.Transport.(*peerLine)
		s.client(cfg)
	})
	source, err := slslog.New(client, s.source)
	p.check(err)
	s.Group, s.Member = client, name
	s.Processor = batch.Handle(source, func(ctx context.Context, b *batch.Batch[slslog.Group]) error {
		return p.handle(ctx, name, b, s.handle)
	}, s.batch)
	if s.factory != nil {
		s.Processor = s.factory(s.Processor)
	}
	w.Coordinator, err = coordinator.New(s.Config)
	p.check(err)
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	p.workers = append(p.workers, w)
	go func() {
		defer close(w.done)
		w.err = w.Run(ctx)
	}()
	return w
}

// end stops the worker, waits for Run, and returns how long it took, and its error.
func (w *peerWorker) end() (time.Duration, error) {
	start := time.Now()
	w.stop()
	<-w.done
	return time.Since(start), w.err
}

// handle notes what a handler is given, and what it has handled.
func (p *peers) handle(ctx context.Context, name string, b *batch.Batch[slslog.Group],
	f func(context.Context, *batch.Batch[slslog.Group], []int) error,
) error {
	var logs []int
	for _, g := range b.Items {
		for log := range g.Logs() {
			v, _ := log.Value("n")
			n, err := strconv.Atoi(string(v))
			if err != nil {
				return processor.Fatal(err)
			}
			logs = append(logs, n)
		}
	}
	note := func(list *[]handling) {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, n := range logs {
			*list = append(*list, handling{n, b.ID().Number, name, time.Now()})
		}
	}
	note(&p.begun)
	if f != nil {
		if err := f(ctx, b, logs); err != nil {
			return err
		}
	}
	note(&p.handled)
	return nil
}

// await waits until cond is true, and fails the test if that takes longer than limit.
func (p *peers) await(limit time.Duration, what string, cond func() bool) time.Duration {
	p.t.Helper()
	start := time.Now()
	for !cond() {
		if time.Since(start) > limit {
			p.t.Fatalf("it is not true after %v that %s", limit, what)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return time.Since(start)
}

// done waits until all logs were handled and committed.
func (p *peers) done(limit time.Duration) {
	p.t.Helper()
	p.await(limit, "every log was handled", func() bool { return len(p.missing("")) == 0 })
	p.await(limit, "every log was committed", func() bool {
		total := 0
		for shard := range p.shards {
			total += p.committed(shard)
		}
		return total == len(p.put)
	})
}

// shares is a condition: each worker reports that many shards as held, and runs their processors.
func shares(want ...int) func(workers ...*peerWorker) func() bool {
	return func(workers ...*peerWorker) func() bool {
		return func() bool {
			for i, w := range workers {
				n := 0
				for _, s := range w.Status().Shards {
					if s.State == coordinator.ShardRunning {
						n++
					}
				}
				if n != want[i] {
					return false
				}
			}
			return true
		}
	}
}
