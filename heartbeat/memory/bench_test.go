package memory_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/memory"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/shardset"
)

const benchShards = 16

// stage is where the workers of a benchmark work, in real time. It knows when each
// shard was last let go, and who has it.
type stage struct {
	b       *testing.B
	service *memory.Service

	mu       sync.Mutex // guards the fields below
	changed  *sync.Cond
	returned map[shardset.ID]time.Time
	running  map[string]int
	pauses   []time.Duration
	started  map[shardset.ID]time.Time
}

func newStage(b *testing.B, ttl time.Duration) *stage {
	s := &stage{
		b: b, service: newService(b, memory.Config{TTL: ttl, Shards: shardset.Range("orders", benchShards)}),
		returned: map[shardset.ID]time.Time{}, running: map[string]int{}, started: map[shardset.ID]time.Time{},
	}
	s.changed = sync.NewCond(&s.mu)
	return s
}

// work starts a worker and returns the function that stops it.
func (s *stage) work(name string, group heartbeat.Client, interval time.Duration) (stop func()) {
	c, err := coordinator.New(coordinator.Config{
		Group: group, Checkpoints: s.service, Member: name, Interval: interval,
		Processor: processor.FromFunc(func(_ context.Context, sh *processor.Shard) error {
			s.enter(name, sh.ID())
			defer s.leave(name, sh.ID())
			<-sh.Revoked()
			return nil
		}),
	})
	if err != nil {
		s.b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Run(ctx); err != nil {
			s.b.Errorf("worker %s: %v", name, err)
		}
	}()
	return func() { cancel(); <-done }
}

func (s *stage) enter(name string, id shardset.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if at, ok := s.returned[id]; ok {
		s.pauses = append(s.pauses, now.Sub(at))
	}
	s.started[id] = now
	s.running[name]++
	s.changed.Broadcast()
}

func (s *stage) leave(name string, id shardset.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.returned[id] = time.Now()
	s.running[name]--
	s.changed.Broadcast()
}

// await waits until a worker runs n shards.
func (s *stage) await(name string, n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.running[name] != n {
		s.changed.Wait()
	}
}

// report reports the p50, p99 and the largest of some times, in milliseconds.
func report(b *testing.B, what string, times []time.Duration) {
	slices.Sort(times)
	ms := func(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
	b.ReportMetric(ms(times[len(times)/2]), what+"-p50-ms")
	b.ReportMetric(ms(times[len(times)*99/100]), what+"-p99-ms")
	b.ReportMetric(ms(times[len(times)-1]), what+"-max-ms")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkPlannedMove has a second worker join and leave. Each time half of the
// shards move there and back; the pause of a shard is the time from the return of its
// old processor to the start of the new one.
func BenchmarkPlannedMove(b *testing.B) {
	s := newStage(b, 6*time.Second)
	stop := s.work("a", s.service, 2*time.Second)
	defer stop()
	s.await("a", benchShards)
	for b.Loop() {
		stop := s.work("b", s.service, 2*time.Second)
		s.await("b", benchShards/2)
		s.await("a", benchShards/2)
		stop()
		s.await("a", benchShards)
	}
	report(b, "pause", s.pauses)
}

// mortal is the connection of a process that can die: from then on nothing gets
// through, and nothing says so.
type mortal struct {
	*memory.Service
	mu   sync.Mutex // guards the fields below
	dead bool
	last time.Time // when the last heartbeat that was answered left
}

func (m *mortal) Beat(ctx context.Context, r shardset.Heartbeat) (shardset.Answer, error) {
	m.mu.Lock()
	dead := m.dead
	m.mu.Unlock()
	if dead {
		<-ctx.Done()
		return shardset.Answer{}, ctx.Err()
	}
	sent := time.Now()
	a, err := m.Service.Beat(ctx, r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.last = sent
	return a, err
}

// Leave fails at once, so that the remains of the process are soon out of the way.
func (m *mortal) Leave(context.Context, shardset.Heartbeat) error {
	return errors.New("connection refused")
}

func (m *mortal) die() (last time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	return m.last
}

// BenchmarkCrash kills one of two workers without a word. A takeover is the time from
// the end of its lease, a TTL after its last heartbeat, to the start of a processor of
// one of its shards at the other.
func BenchmarkCrash(b *testing.B) {
	for _, ttl := range []time.Duration{600 * time.Millisecond, 6 * time.Second} {
		b.Run(fmt.Sprint("TTL=", ttl), func(b *testing.B) {
			s := newStage(b, ttl)
			stop := s.work("a", s.service, ttl/3)
			defer stop()
			s.await("a", benchShards)
			var takeovers []time.Duration
			for b.Loop() {
				m := &mortal{Service: s.service}
				bury := s.work("b", m, ttl/3)
				s.await("b", benchShards/2)
				end := m.die().Add(ttl)
				s.await("b", 0) // its lease ends first, and its processors with it
				s.await("a", benchShards)
				s.mu.Lock()
				for _, at := range s.started {
					if after := at.Sub(end); after > -ttl/2 { // not one of those that stayed
						takeovers = append(takeovers, after)
					}
				}
				s.mu.Unlock()
				bury()
			}
			report(b, "takeover", takeovers)
		})
	}
}

// BenchmarkBeat is one heartbeat of a group where nothing happens.
func BenchmarkBeat(b *testing.B) {
	for _, members := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			s := newService(b, memory.Config{TTL: time.Hour, Shards: shardset.Range("orders", 16*members)})
			requests := make([]shardset.Heartbeat, members)
			beat := func(r *shardset.Heartbeat) {
				r.Seq++
				a, err := s.Beat(b.Context(), *r)
				if err != nil {
					b.Fatal(err)
				}
				r.Held, r.Generation = a.Grants, a.Generation
			}
			for range 4 { // join, release, take over, be told
				for i := range requests {
					requests[i].Member, requests[i].Instance = fmt.Sprint("m", i), 1
					beat(&requests[i])
				}
			}
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				beat(&requests[i%members])
				i++
			}
			if n := len(requests[0].Held); n != 16 {
				b.Errorf("a member holds %d shards, want 16", n)
			}
		})
	}
}
