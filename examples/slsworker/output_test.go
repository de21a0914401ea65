package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
	"github.com/rollcall-go/rollcall/processor/slslog"
)

// logLine is a line of -output logs.
type logLine struct {
	Time          time.Time
	Shard         int
	Cursor        string
	Topic, Source string
	Tags          map[string]string
	Contents      map[string]json.RawMessage
}

func (l logLine) text(t *testing.T) (s string) {
	t.Helper()
	must(t, json.Unmarshal(l.Contents["text"], &s))
	return s
}

// batchLine is a line of -output batches.
type batchLine struct {
	At           time.Time
	Member       string
	Shard        int
	Epoch        uint64
	Cursor, Next string
	Groups, Logs int
	Bytes        int64
	Wait         *float64 `json:"wait_ms_max"`
}

// number is that of a cursor.
func number(t *testing.T, cursor string) int64 {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(cursor)
	must(t, err)
	n, err := strconv.ParseInt(string(raw), 10, 64)
	must(t, err)
	return n
}

func TestOutputLogs(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	at := time.Now().Add(-time.Minute)
	var g slslog.Builder
	must(t, g.SetTopic("to\"pic"))
	must(t, g.SetSource("10.0.0.\xff"))
	must(t, g.AddTag("__path__", "/var/log/x"))
	must(t, g.AddLog(at, slslog.Content{Key: "text", Value: []byte("disk\nfull")}, slslog.Content{Key: "raw", Value: []byte{0xff, 0xfe}},
		slslog.Content{Key: "k\xff", Value: nil}, slslog.Content{Key: "twice", Value: []byte("1")}, slslog.Content{Key: "twice", Value: []byte("2")}))
	must(t, g.AddLog(at, slslog.Content{Key: "text", Value: []byte("second")}))
	r.putGroup("0", &g)
	r.put("0", "third")
	r.put("f", strings.Repeat("long", 50_000))

	out, _ := r.worker(4)
	var texts []string
	cursors := map[string]int64{}
	for _, l := range parseLines[logLine](t, out) {
		text := l.text(t)
		cursors[text] = number(t, l.Cursor)
		texts = append(texts, text)
		if l.Shard == 1 {
			continue
		}
		if text == "third" {
			if l.Topic != "" || len(l.Tags) != 0 {
				t.Errorf("%+v", l)
			}
			continue
		}
		if !l.Time.Equal(at) || l.Topic != `to"pic` || l.Source != "10.0.0.\uFFFD" || l.Tags["__path__"] != "/var/log/x" {
			t.Errorf("%+v", l)
		}
		if text == "disk\nfull" && (string(l.Contents["raw"]) != `{"base64":"//4="}` || string(l.Contents["k\uFFFD"]) != `""`) {
			t.Errorf("%s", l.Contents)
		}
	}
	if len(texts) != 4 || !strings.Contains(out, `"twice":"1","twice":"2"`) {
		t.Errorf("%d logs:\n%s", len(texts), out)
	}
	begin, err := r.client.Cursor(t.Context(), 0, sls.Begin)
	must(t, err)
	if first := number(t, begin); cursors["disk\nfull"] != first || cursors["second"] != first || cursors["third"] != first+1 {
		t.Errorf("the shard begins at %d, the logs are at %v", first, cursors)
	}
}

func TestOutputBatches(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	for i := range 50 {
		r.put("0", fmt.Sprint(i), "xyz")
	}
	var g slslog.Builder
	put := time.Now().Add(-time.Second)
	must(t, g.AddLog(put, slslog.Content{Key: "put_ns", Value: strconv.AppendInt(nil, put.UnixNano(), 10)}))
	must(t, g.AddLog(put, slslog.Content{Key: "put_ns", Value: []byte("later")}))
	r.putGroup("f", &g)
	out, errs := r.worker(2, "-output", "batches")
	groups, bytes := 0, int64(0)
	next := ""
	for _, b := range parseLines[batchLine](t, out) {
		if b.Member != "w" || b.Epoch == 0 || time.Since(b.At) > time.Minute || number(t, b.Next)-number(t, b.Cursor) != int64(b.Groups) {
			t.Errorf("%+v", b)
		}
		if b.Shard == 1 {
			if b.Groups != 1 || b.Logs != 2 || b.Bytes != 19+5 || b.Wait == nil || *b.Wait < 1000 || *b.Wait > 60_000 {
				t.Errorf("%+v", b)
			}
			continue
		}
		if next != "" && b.Cursor != next || b.Wait != nil || b.Logs != 2*b.Groups {
			t.Errorf("%+v behind %s", b, next)
		}
		groups, bytes, next = groups+b.Groups, bytes+b.Bytes, b.Next
	}
	if groups != 50 || bytes != 10+40*2+50*3 {
		t.Errorf("%d groups of %d bytes:\n%s", groups, bytes, out)
	}
	if !strings.Contains(errs, "groups=51 logs=102 bytes=264 ") || !strings.Contains(errs, " wait_p50=1") {
		t.Errorf("summary:\n%s", errs)
	}
}

func TestOutputNone(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.put("0", "before")
	second()
	until := time.Now().Unix()
	r.put("0", "behind")
	out, errs := r.worker(-1, "-output", "none", "-until", fmt.Sprint(until), "-status-every", "50ms")
	if out != "" || !strings.Contains(errs, "batches=1 groups=1 logs=1 bytes=6 ") || !strings.Contains(errs, "status: ") {
		t.Errorf("%s%s", out, errs)
	}
}

// second sleeps until the next second begins: the service counts them.
func second() {
	time.Sleep(time.Until(time.Now().Truncate(time.Second).Add(time.Second)))
}

// texts returns those of lines of -output logs.
func texts(t *testing.T, out string) string {
	t.Helper()
	var all []string
	for _, l := range parseLines[logLine](t, out) {
		all = append(all, l.text(t))
	}
	return strings.Join(all, " ")
}

func TestQuery(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.put("0", "one", "two")
	r.put("0", "two")
	out, _ := r.worker(2, "-query", "* | where text = 'two'")
	if got := texts(t, out); got != "two two" {
		t.Errorf("%s", out)
	}
	for _, l := range parseLines[logLine](t, out) {
		if number(t, l.Cursor) == 0 {
			t.Errorf("%+v", l)
		}
	}
}

// TestRange: what was received between two times, and the worker goes when that is done.
func TestRange(t *testing.T) {
	t.Parallel()
	r := newRig(t, 2)
	r.put("0", "early")
	second()
	from := time.Now().Unix()
	r.put("0", "a")
	r.put("0", "b")
	second()
	until := time.Now()
	r.put("0", "late")
	r.put("f", "late")
	out, _ := r.worker(-1, "-from", fmt.Sprint(from), "-until", until.Truncate(time.Second).Format(time.RFC3339))
	if got := texts(t, out); got != "a b" {
		t.Errorf("%s", out)
	}
}

func TestFromEnd(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	r.put("0", "early")
	p := r.process(true, "-from", "end")
	for late := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if _, ok, err := r.checkpoint(); err == nil && ok {
			break // the end is committed at once
		}
		if time.Now().After(late) {
			break
		}
	}
	r.put("0", "new")
	p.out.await(t, 1, p.ended)
	if got := texts(t, p.out.String()); got != "new" {
		t.Errorf("%s\n%s", p.out, p.errs)
	}
}

// TestOrder: the children of a split shard wait for it.
func TestOrder(t *testing.T) {
	t.Parallel()
	r := newRig(t, 1)
	for i := range 20 {
		r.put("0", fmt.Sprintf("parent%d", i))
	}
	_, err := r.client.SplitShard(t.Context(), 0, "8"+strings.Repeat("0", 31))
	must(t, err)
	r.put("0", "child")
	r.put("f", "child")
	out, _ := r.worker(22, "-order", "-handle-time", "20ms")
	got := strings.Fields(texts(t, out))
	if len(got) != 22 || got[19] != "parent19" || got[20] != "child" {
		t.Errorf("%v", got)
	}
}

// TestSigned: both signatures, with the keys of the environment; and without.
func TestSigned(t *testing.T) {
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "id")
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "hush")
	t.Setenv("ALIBABA_CLOUD_SECURITY_TOKEN", "token")
	r := newRig(t, 1, slsserver.Key{ID: "id", Secret: heartbeat.NewSecret("hush"), Token: heartbeat.NewSecret("token")})
	r.put("0", "one")
	for i, flags := range []string{"-signature v1 -compression none", "-signature v4 -region cn-x -compression zstd"} {
		out, errs := r.worker(1, append(strings.Fields(flags), "-group", fmt.Sprint("g", i))...)
		if got := texts(t, out); got != "one" || strings.Contains(errs, "hush") {
			t.Errorf("%s: %s\n%s", flags, out, errs)
		}
	}
	t.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "wrong")
	errs := newText()
	if status := run(t.Context(), r.args(), newText(), errs); status != exitFailed || !strings.Contains(errs.String(), "SignatureNotMatch") {
		t.Errorf("wrong key: %d\n%s", status, errs)
	}
}
