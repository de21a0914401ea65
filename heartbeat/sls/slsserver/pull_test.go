package slsserver

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/klauspost/compress/zstd"
)

func TestCursors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{})
		origin := time.Now()
		if a, b := r.cursor(0, "begin"), r.cursor(0, "end"); a != b || a != formatCursor(origin.UnixNano()) {
			t.Errorf("an empty shard is from %s to %s", a, b)
		}
		begin := r.cursor(0, "begin")
		for range 3 {
			r.want(r.put(lowKey, sample), 200, "")
			time.Sleep(10 * time.Second)
		}
		if got := r.cursor(0, "end"); got != plus(begin, 3) {
			t.Errorf("the end is %s", got)
		}
		for offset, want := range map[int64]int64{-100: 0, 0: 0, 1: 1, 10: 1, 11: 2, 20: 2, 21: 3, 1000: 3} {
			if got := r.cursor(0, strconv.FormatInt(origin.Unix()+offset, 10)); got != plus(begin, want) {
				t.Errorf("from second %d: %s, want %s", offset, got, plus(begin, want))
			}
		}
		for i := range int64(4) {
			a := r.do("GET", "/logstores/ls/shards/0?type=cursor_time&cursor="+url.QueryEscape(plus(begin, i)), "")
			r.want(a, 200, fmt.Sprintf(`{"cursor_time":%d}`, origin.Unix()+10*i)) // the last one is the end: now
		}
		for _, from := range []string{"", "x", "-1", "1.5", "99999999999999999999", "Begin"} {
			r.wantCode(r.do("GET", "/logstores/ls/shards/0?type=cursor&from="+from, ""), 400, "ParameterInvalid")
		}
		for _, cursor := range []string{"", "x", plus(begin, 4), plus(begin, -1)} {
			a := r.do("GET", "/logstores/ls/shards/0?type=cursor_time&cursor="+url.QueryEscape(cursor), "")
			r.wantCode(a, 400, "InvalidCursor")
			a = r.do("GET", "/logstores/ls/shards/0?type=logs&cursor="+url.QueryEscape(cursor), "")
			r.wantCode(a, 400, "InvalidCursor")
		}
		for _, target := range []string{"?type=cursor&from=begin", "?type=cursor_time&cursor=MTIz", "?type=log&cursor=MTIz"} {
			r.wantCode(r.do("GET", "/logstores/ls/shards/7"+target, ""), 400, "ShardNotExist")
		}
		_ = r.Close()
	})
}

// TestClockGoesBack: what comes later was never received earlier.
func TestClockGoesBack(t *testing.T) {
	r := newRig(t, Config{})
	ls, _ := r.findLogstore("p", "ls")
	sh := ls.shard(0)
	b, err := newBlock(sample)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for _, at := range []time.Time{now, now.Add(-time.Hour), now.Add(time.Second)} {
		if _, err := sh.append(b, at, 0); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := sh.from(now.UnixNano()), sh.created.UnixNano(); got != want {
		t.Errorf("what came from now on begins at %d, not %d", got, want)
	}
	if got := sh.receivedAt(sh.created.UnixNano()+1, now); !got.Equal(now) {
		t.Errorf("the second log group came at %v", got)
	}
}

// pages reads a shard from begin to end.
func (r *rig) pages(shard int, more ...string) (groups [][]byte, sizes []int) {
	r.t.Helper()
	at := r.cursor(shard, "begin")
	for {
		page, next, _ := r.pull(shard, at, more...)
		if next == at {
			return groups, sizes
		}
		groups, sizes = append(groups, page...), append(sizes, len(page))
		at = next
	}
}

func TestPull(t *testing.T) {
	r := newRig(t, Config{MaxPageBytes: 1000})
	begin := r.cursor(0, "begin")
	_, next, a := r.pull(0, begin) // an empty open shard
	if next != begin || a.header.Get("x-log-compresstype") != "" || a.body != "" || a.header.Get("x-log-end-of-cursor") != "1" {
		t.Errorf("empty: %+v", a)
	}
	var want [][]byte
	for i := range 30 {
		group := logGroup("i", strconv.Itoa(i), "text", strings.Repeat("ab", i*i))
		want = append(want, group)
		r.want(r.put(lowKey, group), 200, "")
	}
	groups, sizes := r.pages(0)
	if len(groups) != 30 {
		t.Fatalf("%d groups", len(groups))
	}
	for i := range groups {
		if !bytes.Equal(groups[i], want[i]) {
			t.Errorf("group %d is not what was put", i)
		}
	}
	if sizes[0] < 5 || sizes[len(sizes)-1] != 1 {
		t.Errorf("pages of %v groups", sizes)
	}
	if _, sizes = r.pages(0, "count=7"); sizes[0] != 7 {
		t.Errorf("pages of %v groups with count 7", sizes)
	}
	page, next, a := r.pull(0, plus(begin, 1), "count=2")
	if next != plus(begin, 3) || !bytes.Equal(page[0], want[1]) || a.header.Get("x-log-end-of-cursor") != "" {
		t.Errorf("two from 1: next %s", next)
	}
	if got, _ := parseCursor(plus(begin, 2)); a.header.Get("x-log-read-last-cursor") != strconv.FormatInt(got, 10) {
		t.Errorf("the last cursor is %s", a.header.Get("x-log-read-last-cursor"))
	}
	for _, name := range []string{"end_cursor", "endCursor"} {
		page, next, a = r.pull(0, begin, name+"="+plus(begin, 3))
		if len(page) != 3 || next != plus(begin, 3) || a.header.Get("x-log-end-of-cursor") != "1" {
			t.Errorf("%s: %d groups, next %s", name, len(page), next)
		}
	}
	if page, next, _ = r.pull(0, begin, "end_cursor="+begin); len(page) != 0 || next != begin {
		t.Errorf("up to the beginning: %d groups, next %s", len(page), next)
	}
	r.do("POST", "/logstores/ls/shards/0?action=split", "")
	end := r.cursor(0, "end")
	if _, next, a = r.pull(0, end); next != end || a.header.Get("x-log-count") != "0" {
		t.Errorf("the end of a read-only shard: next %s", next)
	}
	for _, query := range []string{"count=0", "count=1001", "count=x", "count=-1", "pullMode=other", "processor=none", "queryId=none"} {
		r.wantCode(r.do("GET", "/logstores/ls/shards/0?type=log&cursor="+begin+"&"+query, ""), 400, "ParameterInvalid")
	}
	r.wantCode(r.do("GET", "/logstores/ls/shards/0?type=log&cursor="+begin+"&end_cursor=x", ""), 400, "InvalidCursor")
}

// TestFullPage: a page has at most 1000 log groups.
func TestFullPage(t *testing.T) {
	r := newRig(t, Config{})
	for range 1001 {
		r.want(r.put(lowKey, sample), 200, "")
	}
	begin := r.cursor(0, "begin")
	for _, count := range []string{"count=1000", "pullMode="} { // the second does not say
		groups, next, a := r.pull(0, begin, count)
		if len(groups) != 1000 || next != plus(begin, 1000) || a.header.Get("x-log-end-of-cursor") != "" {
			t.Errorf("%s: %d groups, next %s", count, len(groups), next)
		}
	}
}

func TestCompressions(t *testing.T) {
	r := newRig(t, Config{})
	for i := range 5 {
		r.want(r.put(lowKey, logGroup("i", strconv.Itoa(i), "text", strings.Repeat("abc", 100))), 200, "")
	}
	target := "/logstores/ls/shards/0?type=logs&cursor=" + r.cursor(0, "begin")
	plain := slowLZ4(t, []byte(r.do("GET", target, "").body))
	for accept, want := range map[string]string{
		"": "lz4", "lz4": "lz4", "gzip": "lz4", "deflate": "lz4", "zstd": "zstd", "zstd, lz4": "zstd", "gzip;q=0, ZSTD;q=1": "zstd",
	} {
		for range 2 { // the second page comes from the cache
			a := r.do("GET", target, "", "Accept-Encoding: "+accept)
			if got := a.header.Get("x-log-compresstype"); got != want {
				t.Errorf("%q gives %q", accept, got)
			}
			if want == "zstd" {
				d, _ := zstd.NewReader(nil)
				list, err := d.DecodeAll([]byte(a.body), nil)
				if err != nil || !bytes.Equal(list, plain) {
					t.Errorf("zstd: %v", err)
				}
				d.Close()
			}
		}
	}
}

// TestZstdTellsItsSize: Python's library refuses a frame without its content size, filtered pages included.
func TestZstdTellsItsSize(t *testing.T) {
	r := newRig(t, Config{})
	first := r.cursor(0, "end")
	for _, length := range []int{1, 100, 180, 215, 216, 217, 218, 219, 220, 221, 300, 2000, 70_000, 1_000_000, 1_000_000, 1_000_000, 1_000_000, 0} {
		target := "/logstores/ls/shards/0?type=logs&count=1&cursor=" + r.cursor(0, "end")
		if length == 0 { // all of them
			target = "/logstores/ls/shards/0?type=logs&cursor=" + first
		} else {
			r.want(r.put(lowKey, logGroup("level", "error", "text", strings.Repeat("x", length))), 200, "")
		}
		for _, query := range []string{"", "&query=" + url.QueryEscape("* | where level = 'error'")} {
			a := r.do("GET", target+query, "", "Accept-Encoding: zstd")
			var h zstd.Header
			if err := h.Decode([]byte(a.body)); err != nil || !h.HasFCS || strconv.FormatUint(h.FrameContentSize, 10) != a.header.Get("x-log-bodyrawsize") {
				t.Errorf("%d bytes%s: %+v, %v, x-log-bodyrawsize %s", length, query, h, err, a.header.Get("x-log-bodyrawsize"))
			}
			if h.WindowSize > 8<<20 { // some decoders take no more
				t.Errorf("%d bytes: a window of %d", length, h.WindowSize)
			}
		}
	}
}

func TestPageCacheIsBounded(t *testing.T) {
	var p pageCache
	for i := range int64(100) {
		p.put(pageKey{weak.Pointer[shard]{}, i, 1}, make([]byte, 1<<20))
		p.put(pageKey{weak.Pointer[shard]{}, i, 1}, make([]byte, 1<<20))
	}
	if p.bytes > pageCacheBytes || len(p.pages) != len(p.order) || p.get(pageKey{weak.Pointer[shard]{}, 99, 1}) == nil || p.get(pageKey{weak.Pointer[shard]{}, 0, 1}) != nil {
		t.Errorf("%d bytes, %d pages", p.bytes, len(p.pages))
	}
}

func TestRetentionByBytes(t *testing.T) {
	for _, fromBegin := range []bool{false, true} {
		r := newRig(t, Config{RetentionBytes: 5 * sampleCost, ExpiredFromBegin: fromBegin})
		first := r.cursor(0, "begin")
		for range 100 {
			r.want(r.put(lowKey, sample), 200, "")
		}
		begin := r.cursor(0, "begin")
		if begin != plus(first, 100-5) || r.cursor(0, "end") != plus(first, 100) {
			t.Errorf("it begins at %s", begin)
		}
		if !fromBegin {
			r.wantCode(r.do("GET", "/logstores/ls/shards/0?type=logs&cursor="+first, ""), 400, "InvalidCursor")
			continue
		}
		if groups, next, _ := r.pull(0, first, "count=1"); len(groups) != 1 || next != plus(begin, 1) {
			t.Errorf("an old cursor gives %d groups and %s", len(groups), next)
		}
	}
}

func TestRetentionByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Retention: time.Minute})
		r.createGroup(60, true)
		begin := r.cursor(0, "begin")
		r.want(r.put(lowKey, sample), 200, "")
		time.Sleep(40 * time.Second)
		r.want(r.put(lowKey, sample), 200, "")
		r.do("POST", "/logstores/ls/shards/0?action=split", "")
		r.want(r.beat("c1", "[]"), 200, "[0,1]")
		r.want(r.commit("c1", 0, r.cursor(0, "begin"), false), 200, "")
		time.Sleep(30 * time.Second)
		if got := r.cursor(0, "begin"); got != plus(begin, 1) {
			t.Errorf("after 70 s it begins at %s", got)
		}
		if n := len(r.shardList()); n != 4 {
			t.Errorf("%d shards", n)
		}
		r.want(r.beat("c1", "[0,1]"), 200, "[0,1]")
		time.Sleep(40 * time.Second)
		if n := len(r.shardList()); n != 3 {
			t.Errorf("%d shards, the read-only one has nothing left", n)
		}
		r.want(r.beat("c1", "[0,1]"), 200, "[1,2,3]") // an expired parent is nothing to wait for
		r.wantCode(r.commit("c1", 0, begin, true), 404, "ShardNotExist")
		ls, _ := r.findLogstore("p", "ls")
		if n := len(ls.group("g").checkpoints); n != 0 {
			t.Errorf("%d checkpoints are kept of shards that are gone", n)
		}
		_ = r.Close()
	})
}

// TestEmptyParentStays: a shard that never had data stays in the list as long as if it had
// been written to until it was split.
func TestEmptyParentStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{Retention: time.Minute})
		r.do("POST", "/logstores/ls/shards/0?action=split", "")
		time.Sleep(59 * time.Second)
		if n := len(r.shardList()); n != 4 {
			t.Errorf("%d shards after 59 s", n)
		}
		time.Sleep(7 * time.Second) // a sweep's interval more
		if n := len(r.shardList()); n != 3 {
			t.Errorf("%d shards after 66 s", n)
		}
		_ = r.Close()
	})
}

// TestClock: what the server says of the time is its own clock's, in every answer.
func TestClock(t *testing.T) {
	now := time.Unix(1_700_000_000, 900_000_000)
	r := newRig(t, Config{Clock: func() time.Time { return now }})
	const date = "Tue, 14 Nov 2023 22:13:20 GMT"
	for _, target := range []string{"/logstores/ls/shards", "/logstores/none/shards", "/logstores/ls/shards/0?type=cursor&from=end"} {
		if a := r.do("GET", target, ""); a.header.Get("Date") != date {
			t.Errorf("%s has the date %q, want %q", target, a.header.Get("Date"), date)
		}
	}
	sh := r.projects["p"].logstores["ls"].shards[0]
	if !sh.created.Equal(now) || sh.receivedAt(sh.created.UnixNano(), r.cfg.Clock()) != now {
		t.Errorf("the shard was created at %v", sh.created)
	}
}
