package slslog

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor/batch"
)

// TestListFails: the list is requested again after growing pauses, and reads go on. The shard shows the
// error. Each change is logged once, not each request.
func TestListFails(t *testing.T) {
	refused := func(status int, code, id string) error {
		return &sls.Error{Op: "list shards", HTTPStatus: status, Code: code, RequestID: id}
	}
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(1)
		core, logs := observer.New(zap.InfoLevel)
		r := newRig(t, s, Options{}, batch.Start{Logger: zap.New(core)})
		tries := 0
		fail := func(status int, code string, d time.Duration) {
			t.Helper()
			s.set(func() { s.lists = 0 })
			for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(250 * time.Millisecond) {
				tries++
				s.set(func() { s.failList = refused(status, code, fmt.Sprint(tries)) })
				if c := r.read(); c.End != 0 || c.More {
					t.Fatalf("it ended with %v", c.End)
				}
			}
			c := r.read()
			var e *sls.Error
			if !errors.As(c.Trouble, &e) || e.Code != code {
				t.Errorf("the trouble is %v, want %s", c.Trouble, code)
			}
		}
		fail(403, "Unauthorized", time.Hour)
		if s.lists < 50 || s.lists > 130 {
			t.Errorf("%d lists in an hour", s.lists)
		}
		fail(500, "InternalServerError", 5*time.Minute)
		s.put(0, 3)
		if c := r.read(); len(c.Items) != 3 || c.Trouble == nil {
			t.Errorf("%d groups came, trouble %v", len(c.Items), c.Trouble)
		}
		s.set(func() { s.failList = nil })
		s.close(0)
		if _, end := r.all(); end == 0 { // within a minute
			_, end = r.all()
			if end != batch.EndClosed {
				t.Errorf("it ended with %v", end)
			}
		}
		var said []string
		for _, e := range logs.All() {
			said = append(said, e.Level.String()+" "+fmt.Sprint(e.ContextMap()["error"]))
		}
		if len(said) != 3 || !strings.Contains(said[0], "Unauthorized") || !strings.Contains(said[1], "InternalServerError") ||
			said[2] != "info <nil>" {
			t.Errorf("logged %q", said)
		}
	})
}

// A shard at its end whose state is unknown commits its position again: not at once, not often, and not
// together with others. A shard that is behind does not.
func TestRecommitsWhileTheListFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards = 20
		s := newShelf(shards)
		r := newRig(t, s, Options{}, batch.Start{})
		readers := []*reader{r.reader}
		for i := 1; i < shards; i++ {
			readers = append(readers, open(t, r.source, i, batch.Start{}))
		}
		count := map[time.Duration]int{}
		sweep := func(d time.Duration) (recommits int) {
			begin := time.Now()
			for ; time.Since(begin) < d; time.Sleep(500 * time.Millisecond) {
				for _, r := range readers {
					if c := readFrom(t, r, anything); c.Recommit {
						recommits++
						count[time.Since(begin)]++
					}
				}
			}
			return recommits
		}
		if n := sweep(10 * time.Minute); n != 0 {
			t.Errorf("%d positions were committed again though the list is fine", n)
		}
		s.set(func() { s.failList = errors.New("no") })
		clear(count)
		if n := sweep(10 * time.Minute); n < 10*shards || n > 20*shards {
			t.Errorf("%d positions were committed again in ten minutes, want one or two a minute and shard", n)
		}
		for at, n := range count {
			if at < firstRecommit || n > shards/2 {
				t.Errorf("%d positions were committed again after %v", n, at)
			}
		}
		s.set(func() { s.failList = nil })
		sweep(2 * time.Minute)
		if n := sweep(10 * time.Minute); n != 0 {
			t.Errorf("%d positions were committed again though the list is fine again", n)
		}
	})
}

// A shard with an unknown state counts as open. It shows the state as trouble, and logs it once. The list
// holds for the other shards.
func TestOddState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(2)
		s.odd = `"frozen"`
		core, logs := observer.New(zap.InfoLevel)
		r := newRig(t, s, Options{}, batch.Start{Logger: zap.New(core)})
		other := open(t, r.source, 1, batch.Start{})
		recommits := 0
		for range 600 {
			c := r.read()
			if c.Recommit {
				recommits++
			}
			if o := readFrom(t, other, anything); o.Trouble != nil || o.Recommit {
				t.Fatalf("the other shard: %v, %v", o.Trouble, o.Recommit)
			}
			time.Sleep(250 * time.Millisecond)
		}
		if c := r.read(); c.End != 0 || c.Trouble == nil || !strings.Contains(c.Trouble.Error(), "frozen") {
			t.Errorf("it ends with %v, trouble %v", c.End, c.Trouble)
		}
		if recommits < 2 || logs.Len() != 1 {
			t.Errorf("its position was committed %d times again; logged %v", recommits, logs.All())
		}
		s.close(1)
		end := batch.End(0)
		for n := 0; end == 0 && n < 20; n++ {
			time.Sleep(250 * time.Millisecond)
			end = readFrom(t, other, anything).End
		}
		if end != batch.EndClosed {
			t.Errorf("the other shard ended with %v", end)
		}
	})
}

// TestHangingList: a request for the list hangs and times out. It delays no read, not even those of the
// reader that made it.
func TestHangingList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(2)
		asked := 0
		s.listed = func(ctx context.Context) error {
			asked++
			<-ctx.Done()
			return ctx.Err()
		}
		r := newRig(t, s, Options{}, batch.Start{})
		other := open(t, r.source, 1, batch.Start{})
		began := time.Now()
		for range 10 {
			r.read()
			readFrom(t, other, anything)
			synctest.Wait()
		}
		if took := time.Since(began); took != 0 || asked != 1 {
			t.Errorf("the reads took %v; the list was asked for %d times", took, asked)
		}
		time.Sleep(listTimeout + time.Second)
		if c := r.read(); !errors.Is(c.Trouble, context.DeadlineExceeded) {
			t.Errorf("the trouble is %v", c.Trouble)
		}
	})
}

// A request for the list ends when its reader is closed. Another reader then makes a request at once.
func TestAskingEndsWithTheReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShelf(2)
		ended := false
		s.listed = func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second) // somebody who comes back late
			ended = true
			return ctx.Err()
		}
		r := newRig(t, s, Options{}, batch.Start{})
		other := open(t, r.source, 1, batch.Start{})
		r.read()
		synctest.Wait()
		must(t, r.reader.Close())
		if !ended {
			t.Fatal("Close came back before the request")
		}
		s.listed = nil
		if c := readFrom(t, other, anything); c.Trouble != nil {
			t.Errorf("the trouble is %v", c.Trouble)
		}
		synctest.Wait()
		if s.lists != 1 {
			t.Errorf("%d lists, want the other reader's", s.lists)
		}
	})
}

// A client that panics, or ends its goroutine, counts as a list that fails.
func TestListPanics(t *testing.T) {
	for name, f := range map[string]func(){"panic": func() { panic("no") }, "goexit": runtime.Goexit} {
		synctest.Test(t, func(t *testing.T) {
			s := newShelf(1)
			s.listed = func(context.Context) error { f(); return nil }
			r := newRig(t, s, Options{}, batch.Start{})
			r.read()
			synctest.Wait()
			if c := r.read(); c.Trouble == nil {
				t.Errorf("%s: no trouble", name)
			}
			s.listed = nil
			s.close(0)
			if _, end := r.all(); end != batch.EndClosed {
				t.Errorf("%s: it ended with %v", name, end)
			}
		})
	}
}
