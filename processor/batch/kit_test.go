package batch_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// tape is a Source of numbers: the item at position n is n. It can be told to fail, to
// hang, to drop items as a filter does, and to end.
type tape struct {
	mu       sync.Mutex // guards the fields below
	begin    int        // items before this one have expired
	end      int        // items that there are
	closed   bool       // no more will come
	perRead  int        // at most so many items a read; zero: as the limit says
	each     int64      // bytes of an item; zero means 100
	delay    time.Duration
	drop     func(item int) bool       // the filter
	fail     func(at int) error        // called in each Read
	openFail func(batch.Start) error   // called in each Open
	onOpen   func(ctx context.Context) // called in each Open, without the lock
	onRead   func(ctx context.Context) // called in each Read, without the lock
	opens    []batch.Start
	reads    int
	open     int                                       // readers
	alive    int                                       // chunks not released
	doubled  int                                       // chunks released twice
	items    bool                                      // give a position for each item
	pause    time.Duration                             // asked for with each chunk
	since    func(time.Time) int                       // the first item that came at a time or later
	wrap     func(batch.Reader[int]) batch.Reader[int] // goes around each reader
	sizes    func(at int) int                          // how many items the read at a position brings
	arrive   chan struct{}                             // closed and replaced when items come; for a reader that waits
}

func newTape(items int) *tape { return &tape{end: items, arrive: make(chan struct{})} }

// add makes more items.
func (t *tape) add(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end += n
	close(t.arrive)
	t.arrive = make(chan struct{})
}

// set changes something.
func (t *tape) set(f func(t *tape)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f(t)
}

// count reads something.
func (t *tape) count(f func(t *tape) int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return f(t)
}

func position(n int) processor.Position { return processor.Position(strconv.Itoa(n)) }

func number(p processor.Position) int {
	n, err := strconv.Atoi(string(p))
	if err != nil {
		panic(err)
	}
	return n
}

func (t *tape) Open(ctx context.Context, _ shardset.ID, start batch.Start) (batch.Reader[int], error) {
	t.mu.Lock()
	onOpen := t.onOpen
	t.mu.Unlock()
	if onOpen != nil {
		onOpen(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opens = append(t.opens, start)
	if t.openFail != nil {
		if err := t.openFail(start); err != nil {
			return nil, err
		}
	}
	r := &tapeReader{tape: t, at: t.begin, until: -1}
	switch {
	case start.Position != "":
		if r.at = number(start.Position); r.at < t.begin {
			return nil, fmt.Errorf("tape begins at %d, not %d: %w", t.begin, r.at, batch.ErrExpired)
		}
	case start.Initial.IsLatest():
		r.at = t.end
	}
	if start.Until.Position != "" {
		r.until = number(start.Until.Position)
	}
	if at, ok := start.Initial.Time(); ok && start.Position == "" {
		r.at = t.since(at)
	}
	if !start.Until.Time.IsZero() && t.since != nil {
		r.until = t.since(start.Until.Time)
	}
	t.open++
	if t.wrap != nil {
		return t.wrap(r), nil
	}
	return r, nil
}

type tapeReader struct {
	tape  *tape
	at    int
	until int
}

func (r *tapeReader) Position() processor.Position { return position(r.at) }

func (r *tapeReader) Close() error {
	r.tape.mu.Lock()
	defer r.tape.mu.Unlock()
	r.tape.open--
	return nil
}

func (r *tapeReader) Read(ctx context.Context, l batch.Limit) (batch.Chunk[int], error) {
	t := r.tape
	t.mu.Lock()
	t.reads++
	delay, onRead := t.delay, t.onRead
	t.mu.Unlock()
	if onRead != nil {
		onRead(ctx)
	}
	if delay > 0 {
		select {
		case <-time.After(delay):
		case <-ctx.Done():
			return batch.Chunk[int]{}, ctx.Err()
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fail != nil {
		if err := t.fail(r.at); err != nil {
			return batch.Chunk[int]{}, err
		}
	}
	if r.at < t.begin {
		return batch.Chunk[int]{}, fmt.Errorf("read at %d: %w", r.at, batch.ErrExpired)
	}
	return r.chunk(l), nil
}

// chunk takes what comes next. The lock is held.
func (r *tapeReader) chunk(l batch.Limit) batch.Chunk[int] {
	t := r.tape
	each := max(t.each, 1)
	if t.each == 0 {
		each = 100
	}
	n := max(1, min(l.Items, int(l.Bytes/each)))
	if t.perRead > 0 {
		n = min(n, t.perRead)
	}
	if t.sizes != nil {
		n = min(n, t.sizes(r.at))
	}
	end := t.end
	if r.until >= 0 {
		end = min(end, r.until)
	}
	c := batch.Chunk[int]{}
	for ; r.at < end && n > 0; n-- {
		if t.drop == nil || !t.drop(r.at) {
			c.Items = append(c.Items, r.at)
		}
		r.at++
	}
	c.Next, c.Bytes, c.More = position(r.at), each*int64(len(c.Items)), r.at < end
	c.Pause = t.pause
	c.Lag = time.Duration(t.end-r.at) * time.Second
	switch {
	case r.at == r.until:
		c.End = batch.EndBound
	case t.closed && r.at == t.end:
		c.End = batch.EndClosed
	}
	if t.items {
		items := slices.Clone(c.Items)
		c.After = func(i int) processor.Position { return position(items[i] + 1) }
	}
	if len(c.Items) > 0 {
		t.alive++
		released := false
		c.Release = func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			if released {
				t.doubled++
				return
			}
			released = true
			t.alive--
		}
	}
	return c
}

// rig is one shard being processed, in a bubble, with everything around it observed.
type rig struct {
	t       *testing.T
	tape    *tape
	factory processor.Factory
	store   *store
	term    *processor.Term
	run     *processor.Run
	out     chan shardset.Outcome
	restart processor.Backoff
	budget  *batch.Budget // made by handle, if the options had none

	mu      sync.Mutex // guards the fields below
	handled []int      // items for which the handler returned nil, in order
	failed  []error    // attempts of the Process
	halted  error
	poison  []processor.Poison
	gaps    []processor.Gap
}

// store is checkpoints in memory, with a wish for failure.
type store struct {
	*processor.MemoryCheckpoints
	mu    sync.Mutex // guards the fields below
	saves []processor.Position
	fail  func(p processor.Position) error
	saved func(o processor.Owner, p processor.Position) error // called when it is; its answer may be lost
	hang  chan struct{}                                       // saves wait for it to be closed
	watch func(p processor.Position)                          // sees each save, also those that fail
}

func (s *store) Save(ctx context.Context, o processor.Owner, p processor.Position) error {
	s.mu.Lock()
	fail, hang, watch := s.fail, s.hang, s.watch
	s.mu.Unlock()
	if watch != nil {
		watch(p)
	}
	if hang != nil {
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fail != nil {
		if err := fail(p); err != nil {
			return err
		}
	}
	if err := s.MemoryCheckpoints.Save(ctx, o, p); err != nil {
		return err
	}
	s.mu.Lock()
	s.saves = append(s.saves, p)
	saved := s.saved
	s.mu.Unlock()
	if saved != nil {
		return saved(o, p)
	}
	return nil
}

// set changes something.
func (s *store) set(f func(s *store)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s)
}

// committed returns all that was stored, in order.
func (s *store) committed() []processor.Position {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.saves)
}

// last returns the position in the store; empty if there is none.
func (s *store) last() processor.Position {
	saves := s.committed()
	if len(saves) == 0 {
		return ""
	}
	return saves[len(saves)-1]
}

var testShard = shardset.ID{Log: "orders", Number: 7}

func newRig(t *testing.T, tape *tape) *rig {
	return &rig{
		t: t, tape: tape, store: &store{MemoryCheckpoints: processor.NewMemoryCheckpoints()},
		term: processor.NewTerm(time.Now().Add(24 * time.Hour)), out: make(chan shardset.Outcome, 1),
		restart: processor.Backoff{Min: time.Second, Max: time.Second},
	}
}

// note is a handler that remembers what it was given, in front of another.
func (r *rig) note(next func(ctx context.Context, b *batch.Batch[int]) error) func(context.Context, *batch.Batch[int]) error {
	return func(ctx context.Context, b *batch.Batch[int]) error {
		items := slices.Clone(b.Items)
		if next != nil {
			if err := next(ctx, b); err != nil {
				return err
			}
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.handled = append(r.handled, items...)
		return nil
	}
}

// handle makes the rig's factory with Handle.
func (r *rig) handle(fn func(ctx context.Context, b *batch.Batch[int]) error, o batch.Options[int]) *rig {
	r.factory = batch.Handle(r.tape, r.note(fn), r.ownBudget(o))
	return r
}

// ownBudget gives options without a budget one that finish looks at.
func (r *rig) ownBudget(o batch.Options[int]) batch.Options[int] {
	if o.Budget == nil {
		r.budget = batch.NewBudget(batch.DefaultBudget, batch.DefaultReads)
		o.Budget = r.budget
	}
	return o
}

// heir is the shard's next owner: the same source, on which nothing fails any more,
// and the same store.
func (r *rig) heir() *rig {
	r.tape.set(func(t *tape) { t.fail, t.openFail, t.onOpen, t.onRead = nil, nil, nil, nil })
	r.store.set(func(s *store) { s.fail, s.hang, s.watch = nil, nil, nil })
	next := newRig(r.t, r.tape)
	next.store = r.store
	return next
}

// start launches the run under an epoch and lets it come to its first wait.
func (r *rig) start(epoch uint64) *rig {
	runner := processor.NewRunner(processor.RunnerConfig{
		Member: "m1", Epochs: true, Factory: r.factory, Checkpoints: r.store, Restart: r.restart,
		Observer: processor.Observer{
			Failed: func(_ shardset.Lease, err error, _ time.Duration) {
				r.locked(func() { r.failed = append(r.failed, err) })
			},
			Halted: func(_ shardset.Lease, err error) { r.locked(func() { r.halted = err }) },
			Poisoned: func(_ shardset.Lease, p processor.Poison) {
				r.locked(func() { r.poison = append(r.poison, p) })
			},
			Skipped: func(_ shardset.Lease, g processor.Gap) { r.locked(func() { r.gaps = append(r.gaps, g) }) },
		},
	})
	r.run = runner.New(r.t.Context(), shardset.Lease{ID: testShard, Epoch: epoch}, 11, r.term)
	out := r.out // of this run, should the next one get another
	go r.run.Do(func(o shardset.Outcome) { out <- o })
	synctest.Wait()
	return r
}

func (r *rig) locked(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// got returns the handled items so far.
func (r *rig) got() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.handled)
}

// finish waits for the end of the run, and checks that nothing is left of it.
func (r *rig) finish() shardset.Outcome {
	r.t.Helper()
	var o shardset.Outcome
	select {
	case o = <-r.out:
	case <-time.After(12 * time.Hour):
		r.t.Error("the run does not end")
		r.run.Cancel(processor.ErrLeaseLost)
		o = <-r.out
	}
	synctest.Wait()
	if n := r.tape.count(func(t *tape) int { return t.open }); n != 0 {
		r.t.Errorf("%d readers are open after the end", n)
	}
	if n := r.tape.count(func(t *tape) int { return t.alive }); n != 0 {
		r.t.Errorf("%d chunks are not released after the end", n)
	}
	if n := r.tape.count(func(t *tape) int { return t.doubled }); n != 0 {
		r.t.Errorf("%d chunks were released twice", n)
	}
	if r.budget != nil {
		checkFull(r.t, r.budget, batch.DefaultReads)
	}
	return o
}

// checkFull checks that nothing of a budget is in use.
func checkFull(t *testing.T, b *batch.Budget, reads int) {
	t.Helper()
	if b.Free() != b.Size() {
		t.Errorf("the budget has %d bytes, want all %d", b.Free(), b.Size())
	}
	if b.FreeReads() != reads {
		t.Errorf("the budget has %d reads, want all %d", b.FreeReads(), reads)
	}
}

// bubble is a subtest in fake time.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Run(name, func(t *testing.T) { synctest.Test(t, f) })
}

// upTo is the numbers from 0 to n-1.
func upTo(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = i
	}
	return s
}
