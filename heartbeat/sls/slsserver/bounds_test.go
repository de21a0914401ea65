package slsserver

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/alloctest"
)

// TestSmallBodiesStaySmall: what a body claims to be takes no memory before it is that.
func TestSmallBodiesStaySmall(t *testing.T) {
	window := "\x28\xb5\x2f\xfd\x00\x80"                   // a zstd frame with a window of 64 MiB
	content := "\x28\xb5\x2f\xfd\xa0\x00\x00\xa0\x00"      // one that says it has 10 MiB
	block := window + "\x04\x00\x10" + "\x01\x00\x00"      // one block of garbage, then the end
	inflated := "\x78\x9c" + strings.Repeat("\xff", 7)     // neither
	huge := strings.Repeat("\x28\xb5\x2f\xfd\x00\x80", 10) // frames without blocks
	r := newRig(t, Config{})
	for _, kind := range []string{"", "lz4", "zstd", "deflate", "gzip"} {
		for _, body := range []string{window + "\x00\x00\x00", window, content, block, inflated, huge, "\xf0", "\xff\xff\xff\xff"} {
			for _, raw := range []string{"10485760", "1000", "59"} {
				var a answer
				n := alloctest.Bytes(func() {
					a = r.do("POST", "/logstores/ls", body, "Content-Type: application/x-protobuf", "x-log-bodyrawsize: "+raw, "x-log-compresstype: "+kind)
				})
				if a.status != 400 || !strings.HasPrefix(a.code(), "PostBody") && !strings.HasPrefix(a.code(), "Invalid") {
					t.Errorf("%q of %q as %s bytes: %d %s", kind, body, raw, a.status, a.body)
				}
				if n > 256<<10 {
					t.Errorf("%q of %q as %s bytes allocates %d bytes", kind, body, raw, n)
				}
			}
		}
	}
}

// TestConditions: a query has a bound, and within it a log costs what it is long.
func TestConditions(t *testing.T) {
	query := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf("k = 'v%d'", i))
		}
		return "* | where " + strings.Join(all, " and ")
	}
	for text, ok := range map[string]bool{
		query(maxConditions): true, query(maxConditions + 1): false, query(280): false,
		query(2) + strings.Repeat(" and k = 'v1'", 200):              true, // one condition, said often
		"* | where k = '" + strings.Repeat("x", maxQueryBytes) + "'": false,
	} {
		if _, err := parseQuery(text); (err == nil) != ok {
			t.Errorf("a query of %d bytes: %v", len(text), err)
		}
	}
	r := newRig(t, Config{})
	cursor := r.cursor(0, "begin")
	r.wantCode(r.do("GET", "/logstores/ls/shards/0?type=logs&cursor="+cursor+"&query="+url.QueryEscape(query(280)), ""), 400, "ParameterInvalid")

	pairs := []string{}
	for i := range maxConditions {
		pairs = append(pairs, "k", fmt.Sprintf("v%d", i))
	}
	group := bytes.Repeat(logGroup(pairs...), 1000)
	f, err := parseQuery(query(maxConditions))
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 0, len(group))
	n := alloctest.Bytes(func() {
		if got, lines, matched := f.apply(out, group); lines != 1000 || matched != 1000 || !bytes.Equal(got, group) {
			t.Errorf("%d of %d lines match", matched, lines)
		}
	})
	if n > 1000 {
		t.Errorf("1000 logs of 64 contents allocate %d bytes", n)
	}
	if _, _, matched := f.apply(nil, logGroup(pairs[2:]...)); matched != 0 {
		t.Error("a log that meets 63 of 64 conditions matches")
	}
}

// TestAnswersCutWhatTheyQuote: what a client sends is cut in every answer.
func TestAnswersCutWhatTheyQuote(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, false)
	cursor := r.cursor(0, "begin")
	long := strings.Repeat("x", 8000)
	odd := strings.Repeat("\u00e9", 100_000)
	const json, shard = "Content-Type: application/json", "/logstores/ls/shards/0"
	put := func(headers ...string) answer {
		return r.do("POST", "/logstores/ls", string(sample), append([]string{"Content-Type: application/x-protobuf"}, headers...)...)
	}
	for i, a := range []answer{
		r.do("GET", "/"+long, "", "Host: 127.0.0.1"),
		r.do("GET", "/"+long+"/logstores/ls/shards", "", "Host: 127.0.0.1"),
		r.do("GET", "/logstores/"+long+"/shards", ""),
		r.do("GET", "/logstores/ls/shards/"+long, ""),
		r.do("GET", "/logstores/ls/shards/%00"+long, ""),
		r.do("GET", "/"+strings.Repeat("a/", 40_000), ""),
		r.do("GET", "/logstores/ls/consumergroups/"+long, ""),
		r.do("GET", "/logstores/ls/shards", "", "Host: "+long),
		r.do("GET", "/logstores/ls/shards?"+long+"=1&"+long+"=2", ""),
		r.do("GET", "/logstores/ls/shards?x="+strings.Repeat(long, 3), ""),
		r.do("GET", "/logstores/ls/shards?a"+strings.Repeat("&a", 40), ""),
		r.do("GET", shard+"?type="+long, ""),
		r.do("GET", shard+"?type=cursor&from="+long, ""),
		r.do("GET", shard+"?type=cursor_time&cursor="+long, ""),
		r.do("GET", shard+"?type=logs&cursor="+long, ""),
		r.do("GET", shard+"?type=logs&count="+long+"&cursor="+cursor, ""),
		r.do("GET", shard+"?type=logs&end_cursor="+long+"&cursor="+cursor, ""),
		r.do("GET", shard+"?type=logs&pullMode="+long+"&cursor="+cursor, ""),
		r.do("GET", shard+"?type=logs&processor="+long+"&cursor="+cursor, ""),
		r.do("POST", shard+"?action=split&shardCount="+long, ""),
		r.do("GET", groupPath+"?shard="+long, ""),
		r.do("POST", groupPath+"?type=heartbeat&consumer="+long, "[]"),
		r.do("POST", groupPath+"?type=heartbeat&consumer=c", "["+strings.Repeat("0,", 500_000)+"0]"),
		r.do("POST", groupPath+"?type=checkpoint&consumer=c&forceSuccess="+long, "{}"),
		r.do("POST", groupPath+"?type=checkpoint&consumer="+long, "{}"),
		r.do("PUT", groupPath, `{"`+odd+`":1,"`+odd+`":1}`, json),
		r.do("PUT", groupPath, `{"`+odd+`":[}`, json),
		r.do("PUT", groupPath, `{"`+odd+`":}`, json),
		r.do("PUT", groupPath, odd, json),
		r.do("POST", "/logstores/ls/consumergroups", `{"consumerGroup":"`+odd+`","timeout":60}`, json),
		put("x-log-bodyrawsize: " + long),
		put("x-log-bodyrawsize: 59", "x-log-compresstype: "+long),
	} {
		if a.status < 400 || a.status >= 500 || strings.HasPrefix(a.code(), "no error") || len(a.body) > 1500 {
			t.Errorf("answer %d is %d with %d bytes: %s", i, a.status, len(a.body), excerpt(a.body, 100))
		}
	}
	admin := r.admin()
	for _, body := range []string{
		`{"` + long + `":1}`, `{"project":"` + long + `","logstore":"x"}`, `{"project":"p","logstore":"ls","group":"` + long + `"}`,
	} {
		for _, path := range []string{"/faults", "/evict", "/expire", "/logstores"} {
			w := serveAdminTo(admin, path, body)
			if len(w.body) > 1500 {
				t.Errorf("admin %s: %d with %d bytes", path, w.status, len(w.body))
			}
		}
	}
}

// TestManyMembers: the bounds of a JSON body come before the work.
func TestManyMembers(t *testing.T) {
	var b strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&b, `,"%d":1`, i)
	}
	object := []byte("{" + b.String()[1:] + "}")
	array := []byte("[" + strings.Repeat("0,", 500_000) + "0]")
	n := alloctest.Bytes(func() {
		if _, err := parseObject(object); err == nil {
			t.Error("an object of 100,000 members is taken")
		}
		if _, err := parseIntegers(array); err == nil {
			t.Error("an array of 500,001 numbers is taken")
		}
	})
	if n > 64<<10 {
		t.Errorf("to refuse them allocates %d bytes", n)
	}
	full := []byte("[" + strings.Repeat("2147483647,", maxHeld-1) + "0]")
	if ids, err := parseIntegers(full); len(ids) != maxHeld || err != nil {
		t.Errorf("of %d numbers %d are taken: %v", maxHeld, len(ids), err)
	}
}

// TestUnknownShardsAreForgotten: the server keeps no numbers that the logstore never had, and
// a consumer that lists only such numbers is not taken for a new one.
func TestUnknownShardsAreForgotten(t *testing.T) {
	r := newRig(t, Config{})
	r.createGroup(60, false)
	r.wantCode(r.beat("c", "[7]"), 400, "NotExistConsumerWithBody")
	r.want(r.beat("c", "[]"), 200, "[0,1]")
	r.want(r.beat("c", "[7,8]"), 200, "[0,1]")
	r.want(r.beat("c", "[1,7,0]"), 200, "[0,1]")
	beat := func(from int) {
		t.Helper()
		var ids []string
		for i := range 20_000 {
			ids = append(ids, fmt.Sprint(from+i))
		}
		r.want(r.beat("c", "[0,"+strings.Join(ids, ",")+"]"), 200, "[0,1]")
	}
	beat(100)
	before := heap()
	for i := range 10 {
		beat(20_000 * (i + 1))
	}
	if grown := heap() - before; grown > 1<<20 {
		t.Errorf("200,000 unknown numbers keep %d bytes", grown)
	}
	r.wantCode(r.beat("d", "[5]"), 400, "NotExistConsumerWithBody")
	runtime.KeepAlive(r)
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func serveAdminTo(h http.Handler, path, body string) answer {
	req, _ := http.NewRequest("POST", "http://127.0.0.1"+path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, req)
	return answer{w.Code, w.Header(), w.Body.String()}
}
