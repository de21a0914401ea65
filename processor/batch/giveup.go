package batch

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/processor"
)

// errGivenUp replaces a nil error passed to GiveUp.
var errGivenUp = errors.New("the handler gave the item up")

// GiveUp passes Items[i] to Options.DeadLetter. It is final: the item is not handled again. After the
// handler has returned, with or without an error, DeadLetter gets the item in a batch of its own, with
// err as Failure.Err. No position after the item is committed before DeadLetter has taken it. Without a
// DeadLetter, the shard is halted. An err made with processor.Halt or processor.Fatal halts the shard
// or ends the worker instead.
//
// GiveUp does not change what happens to the other items: a nil result of the handler acknowledges
// them, and after an error they are handled again. To skip an item, acknowledge it.
//
// If the shard is revoked, the loop still calls DeadLetter, until a call fails or the context ends.
// The next owner handles the items that DeadLetter has not taken.
//
// GiveUp panics if there is no such item. It does nothing during a call of DeadLetter, and for an
// item that is acknowledged or was passed to GiveUp before.
func (b *Batch[T]) GiveUp(i int, err error) {
	_ = b.Items[i]
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.inRead(i)
	if b.returned || b.part.deadLetter != nil || b.part.acks.acked(at) {
		return
	}
	if _, givenUp := b.givenUp[int32(at)]; givenUp {
		return
	}
	if err == nil {
		err = errGivenUp
	}
	if b.givenUp == nil {
		b.givenUp = map[int32]error{}
	}
	b.givenUp[int32(at)] = err
	b.activity.Progress()
}

// close ends the attempt, and moves each item that was passed to GiveUp to a part of its own.
func (a *attempt[T]) close() {
	a.batch.close()
	givenUp := a.batch.givenUp
	if len(givenUp) == 0 || a.givenUp != nil {
		return
	}
	p := a.part
	for _, i := range slices.Sorted(maps.Keys(givenUp)) {
		f := a.failureOf(1, givenUp[i])
		state := p.attemptState
		state.deadLetter, state.givenUp, state.pauses = &f, true, schedule{}
		a.givenUp = append(a.givenUp, &part[T]{
			chunk: p.chunk, acks: p.acks, index: []int32{i}, slot: p.slot, attemptState: state,
		})
	}
	p.index = slices.DeleteFunc(slices.Clone(p.items()), func(i int32) bool { _, is := givenUp[i]; return is })
}

// takeGivenUp adds the items that were passed to GiveUp to the dead letters of the slot, or stops the
// loop.
func (l *loop[T]) takeGivenUp(a *attempt[T]) {
	for _, p := range a.givenUp {
		switch decide(*p.deadLetter, ActionDeadLetter, l.o.DeadLetter != nil) {
		case ActionDeadLetter:
			p.chunk.parts++
			p.slot.deadLetters = append(p.slot.deadLetters, p)
		case ActionFatal:
			l.stop(processor.Fatal(l.batchError(*p.deadLetter)))
		default:
			f := *p.deadLetter
			if l.o.DeadLetter == nil {
				f.Err = fmt.Errorf("the handler called GiveUp, but Options.DeadLetter is not set: %w", f.Err)
			}
			l.stop(processor.Halt(l.batchError(f)))
		}
	}
}
