package slslog

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

// refusal is what the client makes of a refused request.
func refusal(t *testing.T, status int, code, retryAfter string) error {
	t.Helper()
	c, err := sls.New(sls.Config{
		Endpoint: "127.0.0.1", Logstore: testLog,
		Transport: trip(func(*http.Request) (*http.Response, error) {
			h := http.Header{"Content-Type": {"application/json"}, "X-Log-Requestid": {"1"}}
			if retryAfter != "" {
				h.Set("Retry-After", retryAfter)
			}
			body := `{"errorCode":"` + code + `","errorMessage":"no"}`
			return &http.Response{StatusCode: status, Header: h, ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body))}, nil
		}),
	})
	must(t, err)
	_, err = c.ListShards(t.Context())
	return err
}

// The pauses after failures grow up to a bound. They are longer after throttling, and at least what the
// service asks for.
func TestListPauses(t *testing.T) {
	for name, c := range map[string]struct {
		err         error
		every       time.Duration
		first, last [2]time.Duration // at least, at most
	}{
		"failed":            {errors.New("no"), 3 * time.Second, [2]time.Duration{time.Second, 5 * time.Second}, [2]time.Duration{30 * time.Second, time.Minute}},
		"refused":           {refusal(t, 403, "Unauthorized", ""), 3 * time.Second, [2]time.Duration{time.Second, 5 * time.Second}, [2]time.Duration{30 * time.Second, time.Minute}},
		"throttled":         {refusal(t, 403, "MetaOperationQpsLimitExceeded", ""), 3 * time.Second, [2]time.Duration{5 * time.Second, 15 * time.Second}, [2]time.Duration{150 * time.Second, 5 * time.Minute}},
		"requested to wait": {refusal(t, 503, "ServerBusy", "60"), 3 * time.Second, [2]time.Duration{time.Minute, time.Minute}, [2]time.Duration{time.Minute, time.Minute}},
		"seldom requested":  {errors.New("no"), time.Hour, [2]time.Duration{30 * time.Minute, time.Hour}, [2]time.Duration{30 * time.Minute, time.Hour}},
	} {
		l := shardList{every: c.every}
		now := time.Now()
		var pauses []time.Duration
		for range 12 {
			if !l.startRequest(now) || l.startRequest(now) {
				t.Fatalf("%s: not requested once at %v", name, pauses)
			}
			l.onAnswer(now, now, nil, c.err)
			pause := l.next.Sub(now)
			if pauses = append(pauses, pause); pause > time.Second && l.startRequest(now.Add(pause-time.Second)) {
				t.Errorf("%s: requested within the pause", name)
			}
			now = l.next
		}
		first, last := pauses[0], pauses[11]
		if first < c.first[0] || first > c.first[1] || last < c.last[0] || last > c.last[1] {
			t.Errorf("%s: the pauses are %v", name, pauses)
		}
		l.startRequest(now)
		if n := l.onAnswer(now, now, nil, nil); !n.recovered || l.next != now.Add(c.every) {
			t.Errorf("%s: after a list: %+v, the next in %v", name, n, l.next.Sub(now))
		}
	}
}

// Failures are logged once for each kind in a row, however their texts differ.
func TestListChanges(t *testing.T) {
	var l shardList
	now := time.Now()
	for i, c := range []struct {
		err    error
		failed bool
		mended bool
	}{
		{nil, false, false},
		{errors.New("port 1"), true, false},
		{errors.New("port 2"), false, false},
		{refusal(t, 403, "Unauthorized", ""), true, false},
		{refusal(t, 403, "Unauthorized", ""), false, false},
		{refusal(t, 401, "Unauthorized", ""), true, false},
		{&sls.ResponseError{Reason: "odd"}, true, false},
		{nil, false, true},
		{nil, false, false},
		{errors.New("port 3"), true, false},
		{nil, false, true},
	} {
		n := l.onAnswer(now, now, nil, c.err)
		if (n.failed != nil) != c.failed || n.recovered != c.mended {
			t.Errorf("answer %d, %v: %+v", i, c.err, n)
		}
		if hint := c.failed && strings.Contains(n.failed.Error(), "log:ListShards"); hint != (i == 3 || i == 5) {
			t.Errorf("answer %d: %v", i, n.failed)
		}
	}
}

func TestListStates(t *testing.T) {
	var l shardList
	now := time.Now()
	check := func(what string, shard int, closed, unknown, trouble bool) {
		t.Helper()
		u, err := l.stateUnknown(shard)
		if l.isClosed(shard, now) != closed || u != unknown || (err != nil) != trouble {
			t.Errorf("%s: shard %d: closed %v, unknown %v, %v", what, shard, l.isClosed(shard, now), u, err)
		}
	}
	check("before the first list", 0, false, true, false)
	list := []sls.Shard{{Number: 0}, {Number: 1, ReadOnly: true}, {Number: 2, UnknownStatus: "x"}}
	if n := l.onAnswer(now, now, list, nil); len(n.unknownState) != 1 || n.unknownState[0].Number != 2 {
		t.Errorf("the first list: %+v", n)
	}
	check("listed", 0, false, false, false)
	check("listed", 1, true, false, false)
	check("listed", 2, false, true, true)
	check("listed", 3, false, true, false)
	if n := l.onAnswer(now, now, list, nil); len(n.unknownState) != 0 {
		t.Errorf("the same list: %+v", n)
	}
	list[0].UnknownStatus = "y"
	if n := l.onAnswer(now, now, list, nil); len(n.unknownState) != 1 || n.unknownState[0].Number != 0 {
		t.Errorf("another list: %+v", n)
	}
	list[0].UnknownStatus = ""
	l.onAnswer(now, now, list, nil)
	l.onAnswer(now, now, nil, errors.New("no"))
	check("failing", 0, false, true, true)
	check("failing", 1, true, true, true)
	if l.isClosed(1, now.Add(1)) {
		t.Error("an old list counts")
	}
}
