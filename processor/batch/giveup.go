package batch

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/rollcall-go/rollcall/processor"
)

// errGivenUp stands for the error that GiveUp was not told.
var errGivenUp = errors.New("the handler gave the item up")

// GiveUp gives up Items[i], alone and for good: it is not handled again, and once the
// handler has returned, with or without an error, Options.DeadLetter takes it, in a batch
// of its own and with err. The other items are handled on as if it were not there: a nil
// result acknowledges them, after an error they come again. Nothing is committed past
// the item before DeadLetter has taken it. Without a DeadLetter the shard is halted,
// and if err was made with processor.Halt or processor.Fatal, that is done. To skip an
// item, acknowledge it.
//
// If the shard has to go, DeadLetter is called while the context is alive, until it
// fails; an item that it has not taken is left to the next owner.
//
// It panics if there is no such item, and does nothing with one that is acknowledged or
// given up already, and in DeadLetter.
func (b *Batch[T]) GiveUp(i int, err error) {
	_ = b.Items[i]
	b.mu.Lock()
	defer b.mu.Unlock()
	at := b.inRead(i)
	if b.returned || b.part.deadLetter != nil || b.part.acks.acked(at) {
		return
	}
	if _, given := b.givenUp[int32(at)]; given {
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

// close ends the attempt: what its batch is told later is too late. The items that were
// given up become parts of their own.
func (a *attempt[T]) close() {
	a.batch.close()
	given := a.batch.givenUp
	if len(given) == 0 || a.givenUp != nil {
		return
	}
	p := a.part
	for _, i := range slices.Sorted(maps.Keys(given)) {
		f := a.failureOf(1, given[i])
		t := p.attemptState
		t.deadLetter, t.givenUp, t.pauses = &f, true, schedule{}
		a.givenUp = append(a.givenUp, &part[T]{chunk: p.chunk, acks: p.acks, index: []int32{i}, slot: p.slot, attemptState: t})
	}
	p.index = slices.DeleteFunc(slices.Clone(p.items()), func(i int32) bool { _, is := given[i]; return is })
}

// takeGiven has DeadLetter take what the handler gave up.
func (l *loop[T]) takeGivenUp(a *attempt[T]) {
	for _, p := range a.givenUp {
		switch decide(*p.deadLetter, ActionDeadLetter, l.o.DeadLetter != nil) {
		case ActionDeadLetter:
			p.chunk.parts++
			p.slot.deadLetters = append(p.slot.deadLetters, p)
		case ActionFatal:
			l.stop(processor.Fatal(l.named(*p.deadLetter)))
		default:
			f := *p.deadLetter
			if l.o.DeadLetter == nil {
				f.Err = fmt.Errorf("the handler gave up an item, and Options.DeadLetter is not set: %w", f.Err)
			}
			l.stop(processor.Halt(l.named(f)))
		}
	}
}
