package slsserver

import (
	"bytes"
	"compress/zlib"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/alloctest"
)

func (r *rig) putBody(kind, size, body string) answer {
	r.t.Helper()
	headers := []string{"Content-Type: application/x-protobuf"}
	if size != "" {
		headers = append(headers, "x-log-bodyrawsize: "+size)
	}
	if kind != "" {
		headers = append(headers, "x-log-compresstype: "+kind)
	}
	return r.do("POST", "/logstores/ls/shards/route?key="+lowKey, body, headers...)
}

func packed(t *testing.T, kind string, group []byte) string {
	t.Helper()
	switch kind {
	case "lz4":
		b, err := newBlock(group)
		if err != nil {
			t.Fatal(err)
		}
		return string(b.data)
	case "zstd":
		w, _ := zstd.NewWriter(nil)
		return string(w.EncodeAll(group, nil))
	case "deflate":
		var buf bytes.Buffer
		w := zlib.NewWriter(&buf)
		_, _ = w.Write(group)
		_ = w.Close()
		return buf.String()
	}
	return string(group)
}

func TestPutCompressions(t *testing.T) {
	r := newRig(t, Config{})
	var want [][]byte
	for _, kind := range []string{"", "lz4", "zstd", "deflate"} {
		for _, group := range [][]byte{sample, logGroup("k", strings.Repeat("text ", 2000)), logGroup("k", string(bytes.Repeat([]byte{0xff, 0xfe}, 7)))} {
			r.want(r.putBody(kind, strconv.Itoa(len(group)), packed(t, kind, group)), 200, "")
			want = append(want, group)
		}
	}
	groups, _ := r.pages(0)
	if len(groups) != len(want) {
		t.Fatalf("%d groups, want %d", len(groups), len(want))
	}
	for i := range want {
		if !bytes.Equal(groups[i], want[i]) {
			t.Errorf("group %d is not what was put", i)
		}
	}
}

func TestPutErrors(t *testing.T) {
	r := newRig(t, Config{MaxPutBytes: 2 << 20})
	large := logGroup("k", strings.Repeat("x", 1<<20))
	for _, c := range []struct {
		name, kind, size, body string
		status                 int
		code                   string
	}{
		{"no size", "", "", string(sample), 400, "MissingBodyRawSize"},
		{"a word", "", "many", string(sample), 400, "InvalidBodyRawSize"},
		{"a negative size", "", "-1", string(sample), 400, "InvalidBodyRawSize"},
		{"another size", "", "58", string(sample), 400, "InvalidBodyRawSize"},
		{"a huge size", "lz4", "2097153", string(sample), 413, "PostBodyTooLarge"},
		{"an overflow", "lz4", "99999999999999999999", string(sample), 400, "InvalidBodyRawSize"},
		{"a huge body", "", "2097153", strings.Repeat("x", 2<<20+1), 413, "PostBodyTooLarge"},
		{"a large log", "", strconv.Itoa(len(large)), string(large), 413, "PostBodyTooLarge"},
		{"an unknown kind", "snappy", "59", string(sample), 400, "InvalidCompressType"},
		{"no lz4", "lz4", "59", string(sample), 400, "PostBodyUncompressError"},
		{"lz4 of another size", "lz4", "60", packed(t, "lz4", sample), 400, "PostBodyUncompressError"},
		{"no zstd", "zstd", "59", string(sample), 400, "PostBodyUncompressError"},
		{"zstd of another size", "zstd", "58", packed(t, "zstd", sample), 400, "PostBodyUncompressError"},
		{"no zlib", "deflate", "59", string(sample), 400, "PostBodyUncompressError"},
		{"zlib of another size", "deflate", "60", packed(t, "deflate", sample), 400, "PostBodyUncompressError"},
		{"a bomb", "deflate", "59", packed(t, "deflate", make([]byte, 1<<24)), 400, "PostBodyUncompressError"},
		{"no group", "", "5", "hello", 400, "PostBodyInvalid"},
		{"a torn group", "", "58", string(sample[:58]), 400, "PostBodyInvalid"},
		{"no logs", "", "3", "\x1a\x01t", 400, "PostBodyInvalid"},
		{"a log without time", "", "12", "\x0a\x0a\x12\x08\x0a\x01k\x12\x03val", 400, "PostBodyInvalid"},
		{"a time that is a string", "", "5", "\x0a\x03\x0a\x01x", 400, "PostBodyInvalid"},
		{"a content without value", "", "9", "\x0a\x07\x08\x01\x12\x03\x0a\x01k", 400, "PostBodyInvalid"},
		{"a tag without key", "", "11", "\x0a\x02\x08\x01\x32\x05\x12\x03val", 400, "PostBodyInvalid"},
		{"a topic that is a number", "", "6", "\x0a\x02\x08\x01\x18\x01", 400, "PostBodyInvalid"},
		{"an empty key", "", "13", "\x0a\x0b\x08\x01\x12\x07\x0a\x00\x12\x03val", 400, "InvalidKey"},
		{"a long key", "", strconv.Itoa(len(logGroup(strings.Repeat("k", 129), "v"))), string(logGroup(strings.Repeat("k", 129), "v")), 400, "InvalidKey"},
	} {
		if a := r.putBody(c.kind, c.size, c.body); a.status != c.status || a.code() != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.name, a.status, a.body, c.status, c.code)
		}
	}
	r.wantCode(r.do("POST", "/logstores/ls", "x", "Content-Type: application/json"), 415, "InvalidContentType")
	r.wantCode(r.do("POST", "/logstores/ls", "x", "Accept: */*"), 400, "MissingContentType")
	r.wantCode(r.do("POST", "/logstores/none", string(sample), "Content-Type: application/x-protobuf", "x-log-bodyrawsize: 59"), 404, "LogStoreNotExist")
	for _, key := range []string{"", "0", "zz", strings.Repeat("0", 33), strings.Repeat("g", 32)} {
		r.wantCode(r.put(key, sample), 400, "ParameterInvalid")
	}
	if r.cursor(0, "begin") != r.cursor(0, "end") {
		t.Error("something was stored")
	}
	// What newer schemas add is kept.
	more := append(append([]byte{}, sample...), 0x3a, 0x01, 'x', 0x40, 0x01)
	r.want(r.put(lowKey, more), 200, "")
	if groups, _ := r.pages(0); !bytes.Equal(groups[0], more) {
		t.Error("unknown fields are lost")
	}
}

func TestPutPaths(t *testing.T) {
	r := newRig(t, Config{Projects: []Project{{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 4}}}}})
	for _, path := range []string{"/logstores/ls", "/logstores/ls/shards/lb"} {
		for range 8 {
			r.want(r.do("POST", path, string(sample), "Content-Type: application/x-protobuf", "x-log-bodyrawsize: 59"), 200, "")
		}
	}
	for shard := range 4 {
		if groups, _ := r.pages(shard); len(groups) != 4 {
			t.Errorf("shard %d has %d groups", shard, len(groups))
		}
	}
	for i, key := range []string{lowKey, "3fffffffffffffffffffffffffffffff", "40000000000000000000000000000000", midKey, highKey, strings.Repeat("F", 32)} {
		shard := []int{0, 0, 1, 2, 3, 3}[i]
		before := r.cursor(shard, "end")
		r.want(r.put(key, sample), 200, "")
		if got := r.cursor(shard, "end"); got != plus(before, 1) {
			t.Errorf("%s did not go to shard %d", key, shard)
		}
	}
}

func TestLogTimes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, Config{CheckLogTime: true})
		time.Sleep(30 * 365 * 24 * time.Hour)
		r.want(r.put(lowKey, logGroup("k", "v")), 200, "")
		r.wantCode(r.put(lowKey, sample), 400, "InvalidTimestamp")
		group := logGroup("k", "v")
		time.Sleep(7*24*time.Hour + time.Second)
		r.wantCode(r.put(lowKey, group), 400, "InvalidTimestamp")
		if err := checkTime(math.MaxUint64, time.Now()); err == nil {
			t.Error("a time of ages ahead is taken")
		}
		_ = r.Close()
	})
}

func TestKeySpace(t *testing.T) {
	for n := 1; n <= 70; n++ {
		ranges := wholeSpace.divide(n)
		if len(ranges) != n || ranges[0].begin != wholeSpace.begin || ranges[n-1].end != maxKey {
			t.Fatalf("%d: %v", n, ranges)
		}
		for i := 1; i < n; i++ {
			if ranges[i].begin != ranges[i-1].end || ranges[i].begin.compare(ranges[i].end) >= 0 {
				t.Errorf("%d: range %d is %v", n, i, ranges[i])
			}
		}
	}
	if got := wholeSpace.divide(2)[1].begin.String(); got != midKey {
		t.Errorf("the middle is %s", got)
	}
	k, _ := parseKey(lowKey)
	next := k
	next[15] = 1
	if got := (keyRange{k, next}).divide(2); got != nil {
		t.Errorf("one key is divided: %v", got)
	}
}

func FuzzCheckGroup(f *testing.F) {
	f.Add(sample)
	f.Add([]byte("\x0a\x02\x08\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if n := alloctest.Bytes(func() { _ = checkGroup(data, time.Time{}) }); n > 4<<10 {
			t.Errorf("to check %d bytes allocates %d", len(data), n)
		}
		if checkGroup(data, time.Time{}) != nil {
			return
		}
		q := &filter{}
		if out, lines, matched := q.apply(nil, data); lines == 0 || matched != lines || !bytes.Equal(out, data) {
			t.Errorf("%s: %d of %d logs, %s", hex.EncodeToString(data), matched, lines, fmt.Sprintf("%x", out))
		}
	})
}
