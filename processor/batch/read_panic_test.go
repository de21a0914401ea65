package batch_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// hooked is a reader around another, in which each call can be made to go wrong.
type hooked struct {
	batch.Reader[int]
	hit    func(call string)
	closed int // how often
}

func (h *hooked) Position() processor.Position {
	h.hit("Position")
	return h.Reader.Position()
}

func (h *hooked) Read(ctx context.Context, l batch.Limit) (batch.Chunk[int], error) {
	h.hit("Read")
	c, err := h.Reader.Read(ctx, l)
	if release := c.Release; release != nil {
		c.Release = func() {
			release()
			h.hit("Release")
		}
	}
	return c, err
}

func (h *hooked) Wait(context.Context) error {
	h.hit("Wait")
	return nil
}

func (h *hooked) Close() error {
	h.closed++
	if h.closed > 1 {
		panic("closed twice")
	}
	err := h.Reader.Close()
	h.hit("Close")
	return err
}

// hookedTape is a tape whose calls in bad fail, each that many times.
func hookedTape(items int, bad map[string]int, wrong func()) (src *tape, readers *[]*hooked) {
	src, readers = newTape(items), new([]*hooked)
	src.perRead = 3
	var mu sync.Mutex
	hit := func(call string) {
		mu.Lock()
		bad[call]--
		left := bad[call]
		mu.Unlock()
		if left >= 0 {
			wrong()
		}
	}
	src.openFail = func(batch.Start) error {
		src.mu.Unlock() // it may not come back
		defer src.mu.Lock()
		hit("Open")
		return nil
	}
	src.wrap = func(r batch.Reader[int]) batch.Reader[int] {
		h := &hooked{Reader: r, hit: hit}
		*readers = append(*readers, h)
		return h
	}
	return src, readers
}

// Whatever goes wrong in the source's own code, nothing is lost, done twice or leaked.
func TestPanicsInTheSourceAreContained(t *testing.T) {
	ways := map[string]func(){
		"panic":  func() { panic("the source is ill") },
		"goexit": runtime.Goexit,
	}
	for way, wrong := range ways {
		for _, call := range []string{"Open", "Position", "Read", "Wait"} {
			t.Run(way+" in "+call, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					src, readers := hookedTape(10, map[string]int{call: 3}, wrong)
					budget := batch.NewBudget(1000, 1)
					r := newRig(t, src).handle(nil, batch.Options[int]{Budget: budget}).start(1)
					time.Sleep(time.Minute)
					src.add(10)
					src.set(func(t *tape) { t.closed = true })
					if o := r.finish(); o != shardset.OutcomeClosed {
						t.Errorf("the outcome is %v, want ended", o)
					}
					if got := r.got(); !slices.Equal(got, upTo(20)) {
						t.Errorf("handled %v", got)
					}
					for i, h := range *readers {
						if h.closed != 1 {
							t.Errorf("reader %d of %d was closed %d times", i, len(*readers), h.closed)
						}
					}
					if budget.Free() != 1000 || budget.FreeReads() != 1 {
						t.Errorf("the budget has %d bytes and %d reads", budget.Free(), budget.FreeReads())
					}
					if len(r.failed) != 0 {
						t.Errorf("the processor was restarted: %v", r.failed)
					}
				})
			})
		}
	}
}

// The position of a reader that panicked is unknown. It is closed, and a new one is opened where the last
// batch ended.
func TestAReaderThatPanickedIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src, readers := hookedTape(20, map[string]int{}, nil)
		src.closed = true
		src.fail = func(at int) error {
			if at == 9 && len(src.opens) < 3 {
				panic("out of paper")
			}
			return nil
		}
		src.begin = 6
		r := newRig(t, src).handle(nil, batch.Options[int]{}).start(1)
		r.finish()
		var at []processor.Position
		for _, start := range src.opens {
			at = append(at, start.Position)
		}
		if want := []processor.Position{"", "9", "9"}; !slices.Equal(at, want) {
			t.Errorf("opened at %q, want %q", at, want)
		}
		if got := r.got(); !slices.Equal(got, upTo(20)[6:]) {
			t.Errorf("handled %v", got)
		}
		for i, h := range *readers {
			if h.closed != 1 {
				t.Errorf("reader %d was closed %d times", i, h.closed)
			}
		}
	})
}
