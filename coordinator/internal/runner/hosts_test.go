package runner_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/coordinator/internal/runner"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/processortest"
	"github.com/rollcall-go/rollcall/shardset"
)

// host is the part that both implementations of processor.Host have in common. A unit test
// with package processortest is worth something only if both behave alike.
type host struct {
	run            func(processor.Func) // calls it once
	revoke, cancel func(cause error)
	expire         func()
	reports        func() string
}

func newRunnerHost(t *testing.T, l shardset.Lease, store processor.Checkpoints) host {
	var f processor.Func
	settled := make(chan struct{}, 3)
	settle := func() { settled <- struct{}{} }
	term := runner.NewMemberLease(l.NotAfter)
	run := runner.New(runner.Config{
		Member: "test", Epochs: true, Checkpoints: store, Restart: processor.Backoff{Min: never, Max: never},
		Factory: func(context.Context, shardset.Lease) (processor.Processor, error) { return f, nil },
		Report:  (&reports{Failed: func(shardset.Lease, error, time.Duration) { settle() }}).report,
	}).New(t.Context(), l, 1, term)
	return host{
		run: func(g processor.Func) {
			f = g
			go run.Do(func(shardset.Outcome) { settle() })
			<-settled // before a restart, or at its end
		},
		revoke: run.Revoke, cancel: run.Cancel, expire: term.End,
		reports: func() string { st := run.Status(); return fmt.Sprint(st.Progress, st.Poison, st.Gaps) },
	}
}

// never is a pause that is longer than any script.
const never = 1000 * time.Hour

func newTestHost(_ *testing.T, l shardset.Lease, store processor.Checkpoints) host {
	s := processortest.New(processortest.Config{Lease: l, Checkpoints: store})
	return host{
		run:    func(f processor.Func) { _ = s.Run(processor.FromFunc(f)) },
		revoke: s.Revoke, cancel: s.Cancel, expire: s.Expire,
		reports: func() string { st := s.Status(); return fmt.Sprint(st.Progress, len(st.Poison), len(st.Gaps)) },
	}
}

// TestTheHostsAreTwins plays random scripts to both hosts, and compares what the processor
// and the store see.
func TestTheHostsAreTwins(t *testing.T) {
	if *seed != 0 {
		compareHosts(t, *seed)
		return
	}
	first, seen := rand.Uint64()>>1+1, map[string]int{}
	for i := range uint64(2000) {
		for _, line := range compareHosts(t, first+i) {
			for _, err := range []error{nil, processor.ErrLeaseLost, processor.ErrNotOwner, processor.ErrReturned, errFlaky, context.Canceled, context.DeadlineExceeded} {
				if errors.Is(line.err, err) && line.commit > 0 {
					seen[fmt.Sprint(err)]++
				}
			}
		}
		if t.Failed() {
			t.Fatalf("replay: go test ./coordinator/internal/runner -run TestTheHostsAreTwins -seed %d", first+i)
		}
	}
	t.Logf("commits from seed %d: %v", first, seen)
	if len(seen) != 7 {
		t.Errorf("the scripts from seed %d made too little happen: %v", first, seen)
	}
}

func compareHosts(t *testing.T, seed uint64) (lines []seenLine) {
	var texts [2][]string
	for i, make := range []func(*testing.T, shardset.Lease, processor.Checkpoints) host{newRunnerHost, newTestHost} {
		synctest.Test(t, func(t *testing.T) {
			l := shardset.Lease{ID: shardset.ID{Log: "orders", Number: 7}, Epoch: 3, NotAfter: time.Now().Add(30 * time.Second)}
			p := &play{rng: rand.New(rand.NewPCG(seed, 1)), begin: time.Now()}
			p.host = make(t, l, p)
			p.host.run(p.process)
			p.afterwards()
			lines = slices.Concat(p.lines, p.saves, slices.SortedFunc(slices.Values(p.commits), func(a, b seenLine) int { return a.commit - b.commit }))
			p.host.cancel(processor.ErrShutdown)
		})
		for _, line := range lines {
			texts[i] = append(texts[i], line.text)
		}
	}
	for i, text := range texts[0] {
		if i >= len(texts[1]) || texts[1][i] != text {
			t.Errorf("line %d differs:\nthe runner's:     %s\nprocessortest's: %q", i, text, texts[1][min(i, len(texts[1])):])
			return lines
		}
	}
	if !slices.Equal(texts[0], texts[1]) {
		t.Errorf("processortest's has more lines: %q", texts[1][len(texts[0]):])
	}
	return lines
}

// play is one script, the processor that plays it, and its store.
type play struct {
	rng   *rand.Rand
	host  host
	begin time.Time
	ctx   context.Context
	shard *processor.Shard
	users sync.WaitGroup

	mu      sync.Mutex // guards the fields below
	lines   []seenLine // of the script itself
	commits []seenLine // some in the background: in any order
	saves   []seenLine
	next    int   // position
	fault   error // of the next save
	hangs   bool
}

type seenLine struct {
	text   string
	err    error
	commit int // its number; zero: none
}

func (p *play) see(what string, err error) { p.note(&p.lines, 0, what, err) }

func (p *play) note(to *[]seenLine, commit int, what string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	*to = append(*to, seenLine{fmt.Sprintf("%v %s: %v", time.Since(p.begin), what, err), err, commit})
}

func (p *play) process(ctx context.Context, s *processor.Shard) error {
	p.ctx, p.shard = ctx, s
	for range 12 {
		p.step()
	}
	return errFlaky
}

// afterwards uses the Shard of a Process that has returned.
func (p *play) afterwards() {
	for range 6 {
		p.step()
	}
	p.users.Wait()
	p.see("reports "+p.host.reports(), nil)
	p.see("the context has the cause", context.Cause(p.ctx))
}

func (p *play) step() {
	s := p.shard
	switch p.rng.IntN(16) {
	case 0, 1, 2:
		p.commit(p.ctx)
	case 3:
		p.commit(context.WithoutCancel(p.ctx))
	case 4:
		ended, cancel := context.WithCancel(p.ctx)
		cancel()
		p.commit(ended)
	case 5: // leave one in flight
		p.users.Go(func() { p.commit(context.WithoutCancel(p.ctx)) })
	case 6:
		p.see("empty commit", s.Commit(p.ctx, ""))
	case 7:
		p.see("check", s.Check())
	case 8:
		_, err := s.ListCheckpoints(p.ctx)
		p.see("list", err)
	case 9:
		s.ReportProgress(processor.Progress{Items: p.rng.Int64N(100), Lag: time.Second, LagSince: time.Now()})
	case 10:
		s.ReportPoison(processor.Poison{})
		s.ReportGap(processor.Gap{})
	case 11, 12:
		time.Sleep(time.Duration(p.rng.IntN(10)) * time.Second)
	case 13:
		p.mu.Lock()
		p.fault = []error{nil, errFlaky, fmt.Errorf("fenced: %w", processor.ErrNotOwner)}[p.rng.IntN(3)]
		p.hangs = p.rng.IntN(2) == 0
		p.mu.Unlock()
	case 14:
		p.end()
	}
	synctest.Wait()
	resume, found := s.Resume()
	p.see(fmt.Sprintf("epoch %d of %s, resumed %q %v, cause", s.Lease().Epoch, s.ID(), resume, found), s.Cause())
	p.see("context", p.ctx.Err())
	select {
	case <-s.Revoked():
		p.see("revoked", nil)
	default:
	}
}

// end revokes the shard or ends its lease.
func (p *play) end() {
	cause := []error{processor.ErrRevoked, processor.ErrShutdown}[p.rng.IntN(2)]
	switch p.rng.IntN(5) {
	case 0:
		p.host.revoke(cause)
	case 1:
		p.host.cancel(cause)
	case 2:
		p.host.cancel(processor.ErrLeaseLost)
	case 3:
		p.host.cancel(processor.ErrNotOwner)
	case 4:
		p.host.expire()
	}
}

func (p *play) commit(ctx context.Context) {
	p.mu.Lock()
	p.next++
	n := p.next
	p.mu.Unlock()
	err := p.shard.Commit(ctx, processor.Position(fmt.Sprint(n)))
	p.note(&p.commits, n, "commit", err)
}

func (p *play) Load(context.Context, processor.Owner) (processor.Position, bool, error) {
	return "0", true, nil
}

// Save is a store that honours its context.
func (p *play) Save(ctx context.Context, o processor.Owner, at processor.Position) error {
	p.note(&p.saves, 0, fmt.Sprintf("save %q for %+v", at, o), ctx.Err())
	p.mu.Lock()
	err, hangs := p.fault, p.hangs
	p.fault, p.hangs = nil, false
	p.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

func (p *play) ListCheckpoints(ctx context.Context, log string) ([]processor.Checkpoint, error) {
	return nil, ctx.Err()
}
