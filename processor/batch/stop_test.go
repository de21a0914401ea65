package batch_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// drain is the time between the revocation and the end of the context.
const drain = 30 * time.Second

// stage is what a shard is doing when it is revoked. It has fifty items in batches of ten.
type stage struct {
	name   string
	resume processor.Position // where it begins
	setup  func(s *staged)    // arranges it
	// What a revoked shard takes to end, and what is stored then.
	takes  time.Duration
	stored processor.Position
	// What a lost shard takes to end. What is stored then is what was before.
	lost   time.Duration
	before processor.Position
}

// staged is what a stage's setup has in hand.
type staged struct {
	t       *testing.T
	src     *tape
	rig     *rig
	ledger  *ledger
	options batch.Options[int]
	handle  func(context.Context, *batch.Batch[int]) error
	other   *rig // another shard, with the same budget
}

// at has the batch that begins at an item handled in another way.
func (s *staged) at(item int, handle func(context.Context, *batch.Batch[int]) error) {
	others := s.handle
	s.handle = func(ctx context.Context, b *batch.Batch[int]) error {
		if b.Items[0] == item {
			return handle(ctx, b)
		}
		return others(ctx, b)
	}
}

// stop revokes the shard, and ends its context after the drain timeout, or at once if the shard is lost.
// It returns the outcome and when it came.
func (s *staged) stop(cause error, lost bool) (o shardset.Outcome, took time.Duration) {
	begin := time.Now()
	if lost {
		s.rig.run.Cancel(cause)
	} else {
		s.rig.run.Revoke(cause)
		end := time.AfterFunc(drain, func() { s.rig.run.Cancel(cause) })
		defer end.Stop()
	}
	o = s.rig.finish()
	return o, time.Since(begin)
}

// TestStop ends a shard in each stage, for each reason: how long that takes, that
// nothing is left of it (see finish), and what is stored, which is where the next owner
// goes on.
func TestStop(t *testing.T) {
	for _, st := range stages {
		for _, cause := range []error{processor.ErrRevoked, processor.ErrShutdown} {
			bubble(t, st.name+"/"+cause.Error(), func(t *testing.T) {
				s := st.begin(t)
				o, took := s.stop(cause, false)
				s.check(o, shardset.OutcomeReleased, took, st.takes, st.stored)
			})
		}
		for _, cause := range []error{processor.ErrLeaseLost, processor.ErrNotOwner} {
			bubble(t, st.name+"/"+cause.Error(), func(t *testing.T) {
				s := st.begin(t)
				o, took := s.stop(cause, true)
				want := shardset.OutcomeLost
				if cause == processor.ErrNotOwner {
					want = shardset.OutcomeFenced
				}
				s.check(o, want, took, st.lost, st.before)
			})
		}
		bubble(t, st.name+"/the lease expired unnoticed", func(t *testing.T) {
			s := st.begin(t)
			s.rig.run.Expire()
			o, _ := s.stop(processor.ErrRevoked, false)
			s.check(o, shardset.OutcomeLost, 0, 0, st.before)
		})
	}
}

// begin brings a shard to its stage.
func (st stage) begin(t *testing.T) *staged {
	src := newTape(50)
	src.perRead = 10
	s := &staged{t: t, src: src, rig: newRig(t, src), options: batch.Options[int]{CommitInterval: never}}
	s.ledger = s.rig.watch()
	s.handle = s.ledger.handler(-1, ending{})
	if st.resume != "" {
		s.ledger.ack(upTo(number(st.resume))...)
		s.seed(st.resume)
	}
	st.setup(s)
	s.rig.handle(s.handle, s.options).start(5)
	time.Sleep(time.Minute)
	synctest.Wait()
	return s
}

// seed makes a position the checkpoint that an earlier owner left.
func (s *staged) seed(p processor.Position) {
	owner := processor.Owner{Member: "m0", Lease: shardset.Lease{ID: testShard, Epoch: 1}, Epochs: true}
	if _, _, err := s.rig.store.Load(s.t.Context(), owner); err != nil {
		s.t.Fatal(err)
	}
	if err := s.rig.store.Save(s.t.Context(), owner, p); err != nil {
		s.t.Fatal(err)
	}
}

// check looks at how the shard ended, and at what its next owner handles.
func (s *staged) check(o, wantOutcome shardset.Outcome, took, want time.Duration, stored processor.Position) {
	s.t.Helper()
	if o != wantOutcome {
		s.t.Errorf("the outcome is %v, want %v", o, wantOutcome)
	}
	if took != want {
		s.t.Errorf("it took %v, want %v", took, want)
	}
	if got := s.rig.store.last(); got != stored {
		s.t.Errorf("stored %q, want %q", got, stored)
	}
	if s.other != nil {
		s.other.run.Cancel(processor.ErrLeaseLost)
		s.other.finish()
		checkFull(s.t, s.options.Budget, 4)
	}
	s.src.set(func(t *tape) { t.closed = true })
	next := s.rig.heir().handle(nil, batch.Options[int]{Expired: batch.Earliest()}).start(9)
	if got := next.finish(); got != shardset.OutcomeClosed {
		s.t.Errorf("the outcome of the next owner is %v, want ended", got)
	}
	first := s.src.begin
	if stored != "" {
		first = max(first, number(stored))
	}
	checkItems(s.t, "the next owner handled", next.got(), fromTo(first, s.src.end))
}
