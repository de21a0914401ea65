package memstore

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/replicated"
)

var (
	// ErrDown is the error of a call while the store or the link is down.
	ErrDown = errors.New("memstore: the store is down")
	// ErrLost is the error of a call whose answer was lost. The store has executed the call.
	ErrLost = errors.New("memstore: the answer was lost")
	// ErrBroken is the error of a watch that a test or a fault has broken.
	ErrBroken = errors.New("memstore: the watch is broken")
)

// Store is an engine in memory. Each process reaches it over its own Link. The methods of Link make
// that connection faulty, and the methods of Store make the engine faulty. Store starts no
// goroutine, and its calls block only on timers, channels and contexts. So it works in a
// testing/synctest bubble if it was made in that bubble. Safe for concurrent use.
//
// All keys share one counter of revisions. A deletion takes a revision too.
type Store struct {
	mu       sync.Mutex // guards everything below; never held across a channel or a sink
	rand     *rand.Rand
	revision uint64 // of the newest version
	history  map[replicated.Key][]version
	watches  map[*watch]struct{}
	links    []*Link
	down     bool
	compact  bool
	counts   map[replicated.Kind]Counts
}

// Counts counts the writes of the keys of one kind.
type Counts struct {
	Writes    int // swaps and deletions that the store has executed
	Quiet     int // how many of the Writes were quiet swaps
	Conflicts int // writes that the store has refused
}

// version is one version of a key. A deletion has no Data.
type version struct {
	replicated.Value
	at time.Time
}

// kept is the number of versions of a key that the store keeps, for stale reads.
const kept = 32

// New returns an empty store.
func New() *Store {
	return &Store{
		rand:    rand.New(rand.NewPCG(1, 1)),
		history: map[replicated.Key][]version{},
		watches: map[*watch]struct{}{},
		counts:  map[replicated.Kind]Counts{},
	}
}

// Seed seeds the random numbers for latencies, lost answers and conflicts.
func (m *Store) Seed(seed uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rand = rand.New(rand.NewPCG(seed, seed))
}

// Dial returns a new link. Link.String returns the name.
func (m *Store) Dial(name string) *Link {
	l := &Link{memory: m, name: name, changed: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.links = append(m.links, l)
	return l
}

// Value returns the current value of a key.
func (m *Store) Value(k replicated.Key) replicated.Value {
	m.mu.Lock()
	defer m.mu.Unlock()
	return present(m.newest(k))
}

// Counts returns the number of writes of a kind so far.
func (m *Store) Counts(kind replicated.Kind) Counts {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.counts[kind]
}

// keys returns the keys of a kind that have a value.
func (m *Store) keys(kind replicated.Kind) (keys []replicated.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k := range m.history {
		if k.Kind == kind && m.newest(k).Data != nil {
			keys = append(keys, k)
		}
	}
	return keys
}

// newest returns the newest version of a key, which may be a deletion. The caller holds mu.
func (m *Store) newest(k replicated.Key) version {
	h := m.history[k]
	if len(h) == 0 {
		return version{}
	}
	return h[len(h)-1]
}

// present returns a version as Get returns it: the zero Value for a deletion.
func present(v version) replicated.Value {
	if v.Data == nil {
		return replicated.Value{}
	}
	return v.Value
}

// op is the operation of a request.
type op uint8

const (
	opGet op = iota + 1
	opSwap
	opSwapQuietly
	opDelete
)

// request is one call on its way to the store.
type request struct {
	op   op
	key  replicated.Key
	old  uint64
	data []byte
}

// apply executes a request, with the faults of its link, and wakes the watches.
func (m *Store) apply(r request, f Faults) (replicated.Value, error) {
	v, wake, err := m.execute(r, f)
	for _, w := range wake {
		w.signal()
	}
	return v, err
}

// execute executes a request, and returns the watches to wake.
func (m *Store) execute(r request, f Faults) (replicated.Value, []*watch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return replicated.Value{}, nil, ErrDown
	}
	if r.op == opGet {
		return present(m.asOf(r.key, f.Stale)), nil, nil
	}
	c := m.counts[r.key.Kind]
	defer func() { m.counts[r.key.Kind] = c }()
	if at := present(m.newest(r.key)).Revision; at != r.old || m.rand.Float64() < f.Conflicts {
		c.Conflicts++
		return replicated.Value{}, nil, fmt.Errorf("%s is at revision %d, not %d: %w", r.key, at, r.old, replicated.ErrConflict)
	}
	if r.op == opDelete && r.old == 0 {
		return replicated.Value{}, nil, nil
	}
	c.Writes++
	if r.op == opSwapQuietly {
		c.Quiet++
	}
	v := m.write(r)
	if r.op == opSwapQuietly {
		return v.Value, nil, nil
	}
	return v.Value, m.enqueue(r.key, v), nil
}

// write makes a new version of a key. The caller holds mu.
func (m *Store) write(r request) version {
	m.revision++
	v := version{Value: replicated.Value{Data: r.data, Revision: m.revision}, at: time.Now()}
	h := append(m.history[r.key], v)
	if len(h) > 2*kept {
		h = append([]version(nil), h[len(h)-kept:]...)
	}
	m.history[r.key] = h
	return v
}

// asOf returns what was the newest version of a key at the time now minus ago. The caller holds mu.
func (m *Store) asOf(k replicated.Key, ago time.Duration) version {
	if ago <= 0 {
		return m.newest(k)
	}
	h, then := m.history[k], time.Now().Add(-ago)
	for i := len(h) - 1; i >= 0; i-- {
		if !h[i].at.After(then) {
			return h[i]
		}
	}
	return version{}
}
