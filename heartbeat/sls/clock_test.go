package sls

import (
	"math/rand/v2"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"
)

// exchange is an answer: when its request left, how long it took, after how much of that
// it was dated, and how far the service's clock was ahead then. Our own clock may be set
// meanwhile.
type exchange struct {
	at    time.Duration
	took  time.Duration
	dated time.Duration
	ahead time.Duration
	set   time.Duration
}

func (e exchange) observe(o *offset) {
	sent := time.Unix(1_700_000_000, 0).Add(e.at)
	o.observe(sent, sent.Add(e.took+e.set), sent.Add(e.dated+e.ahead).Truncate(time.Second))
}

func TestOffset(t *testing.T) {
	const ms, s = time.Millisecond, time.Second
	for name, c := range map[string]struct {
		answers     []exchange
		least, most time.Duration // without the margin
	}{
		"one answer at once":       {[]exchange{{at: 300 * ms}}, -300 * ms, 700 * ms},
		"one slow answer":          {[]exchange{{at: 300 * ms, took: s, dated: 900 * ms}}, -300 * ms, 1700 * ms},
		"ahead":                    {[]exchange{{at: 300 * ms, ahead: 30 * s}}, 29700 * ms, 30700 * ms},
		"behind":                   {[]exchange{{at: 300 * ms, ahead: -30 * s}}, -30300 * ms, -29300 * ms},
		"two around a second":      {[]exchange{{at: 900 * ms}, {at: 1100 * ms}}, -100 * ms, 100 * ms},
		"two round trips":          {[]exchange{{at: 990 * ms, took: 20 * ms, dated: 5 * ms}, {at: 1000 * ms, took: 20 * ms, dated: 5 * ms}}, -20 * ms, 10 * ms},
		"a wide one tells nothing": {[]exchange{{at: 900 * ms}, {at: 1100 * ms}, {at: 2 * s, took: 30 * s, dated: 3 * s}}, -100 * ms, 100 * ms},
		"it was set":               {[]exchange{{at: 900 * ms}, {at: 1100 * ms}, {at: 2300 * ms, ahead: 10 * s}}, 9700 * ms, 10700 * ms},
		"it was set by little":     {[]exchange{{at: 900 * ms}, {at: 1100 * ms}, {at: 2300 * ms, ahead: -500 * ms}}, -1300 * ms, -300 * ms},
		"ours was set back during": {[]exchange{{at: 900 * ms}, {at: 1100 * ms}, {at: 20 * s, took: s, set: -9 * s, dated: 500 * ms}}, -100 * ms, 100 * ms},
		"ours was set on during":   {[]exchange{{at: 900 * ms}, {at: 1100 * ms}, {at: 20 * s, took: s, set: 9 * s, dated: 500 * ms}}, -100 * ms, 100 * ms},
	} {
		var o offset
		for _, e := range c.answers {
			e.observe(&o)
		}
		least, most := o.bounds()
		if least != c.least-offsetMargin || most != c.most+offsetMargin {
			t.Errorf("%s: it is %v to %v without the margin, want %v to %v", name, least+offsetMargin, most-offsetMargin, c.least, c.most)
		}
	}
	if least, most := new(offset).bounds(); least != -5*s || most != 5*s {
		t.Errorf("before the first answer it is %v to %v", least, most)
	}
}

// TestOffsetHolds: whatever the answers, clocks that are set and drift included, the truth
// is within the bounds after each.
func TestOffsetHolds(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var o offset
		at, ahead := time.Duration(0), time.Duration(rnd.Int64N(int64(time.Minute)))
		for range 300 {
			at += time.Duration(rnd.Int64N(int64(5 * time.Second)))
			ahead += time.Duration(rnd.Int64N(int64(time.Millisecond))) // it drifts
			if rnd.IntN(50) == 0 {
				ahead += time.Duration(rnd.Int64N(int64(time.Minute))) - 30*time.Second
				if rnd.IntN(2) == 0 {
					ahead = 0
				}
			}
			took := time.Duration(rnd.Int64N(int64(300 * time.Millisecond)))
			e := exchange{at: at, took: took, dated: time.Duration(rnd.Int64N(int64(took) + 1)), ahead: ahead}
			e.observe(&o)
			if least, most := o.bounds(); ahead < least || ahead > most {
				t.Fatalf("the clock is %v ahead, and the bounds are %v to %v", ahead, least, most)
			}
		}
	}
}

// TestOffsetIsLogged: a difference that is certain to be above a second is logged once.
func TestOffsetIsLogged(t *testing.T) {
	var o offset
	at := time.Duration(0)
	for i, c := range []struct {
		ahead time.Duration
		after time.Duration
		told  int // after 10 answers
	}{
		{0, 0, 0}, {800 * time.Millisecond, 0, 0}, {2 * time.Second, 0, 1}, {2500 * time.Millisecond, 0, 0},
		{-30 * time.Second, time.Minute, 1}, {-30 * time.Second, time.Hour, 0}, {0, 0, 0}, {-30 * time.Second, 0, 1},
		{30 * time.Second, time.Second, 0}, // so soon after
		{30 * time.Second, time.Minute, 1},
	} {
		at += c.after
		told := 0
		for range 10 {
			at += 1100 * time.Millisecond
			exchange{at: at, took: 10 * time.Millisecond, ahead: c.ahead}.observe(&o)
			if _, tell := o.shouldLog(time.Unix(1_700_000_000, 0).Add(at)); tell {
				told++
			}
		}
		if told != c.told {
			t.Errorf("step %d, %v ahead: told %d times, want %d", i, c.ahead, told, c.told)
		}
	}
}

// TestClockOffset: the client learns from the service's own fresh answers, refusals
// included, and warns once.
func TestClockOffset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zapcore.WarnLevel)
		headers := []string{"Age", "7"}
		status, body := 200, "[]"
		w := &wire{answer: func(sent) (*http.Response, error) {
			at := time.Now().Add(30 * time.Second).UTC().Format(http.TimeFormat)
			return reply(status, body, append([]string{headerDate, at}, headers...)...), nil
		}}
		cfg := config(w)
		cfg.Logger = zap.New(core)
		c := newClient(t, cfg)
		is := func(what string, least, most time.Duration) {
			t.Helper()
			_, _ = c.ListShards(t.Context())
			if l, m := c.ClockOffset(); l != least || m != most {
				t.Errorf("%s: it is %v to %v, want %v to %v", what, l, m, least, most)
			}
		}
		is("from a cache", -5*time.Second, 5*time.Second)
		headers = []string{headerRequestID, ""}
		is("from a portal", -5*time.Second, 5*time.Second)
		headers, body = nil, "<html>"
		is("from a page under the service's headers", -5*time.Second, 5*time.Second)
		status = 403
		is("from one with another status", -5*time.Second, 5*time.Second)
		body = `{"errorCode":"Unauthorized"}`
		is("from a refusal", 29*time.Second, 32*time.Second)
		time.Sleep(400 * time.Millisecond)
		is("a second answer", 29*time.Second, 31600*time.Millisecond)
		headers = []string{headerDate, "yesterday"}
		is("without a date", 29*time.Second, 31600*time.Millisecond)
		if n := logs.Len(); n != 1 || logs.All()[0].ContextMap()["service_ahead"] != 30500*time.Millisecond {
			t.Errorf("%d warnings: %+v", n, logs.All())
		}
	})
}
