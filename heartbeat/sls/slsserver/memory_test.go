package slsserver

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"
	"weak"

	"github.com/pierrec/lz4/v4"
)

// sampleCost is what the sample counts for: its block has the size class of 64 bytes.
const sampleCost = 64 + entryBytes

// TestRetentionExactly: what fits is kept, and no more.
func TestRetentionExactly(t *testing.T) {
	for bound, want := range map[int64]int{2 * sampleCost: 2, 2*sampleCost - 1: 1, sampleCost: 1} {
		r := newRig(t, Config{RetentionBytes: bound})
		for range 5 {
			r.want(r.put(lowKey, sample), 200, "")
		}
		if groups, _ := r.pages(0); len(groups) != want {
			t.Errorf("%d bytes keep %d groups, want %d", bound, len(groups), want)
		}
	}
	r := newRig(t, Config{RetentionBytes: sampleCost})
	r.want(r.put(lowKey, sample), 200, "")
	a := r.put(lowKey, logGroup("k", string(make([]byte, 1000))))
	r.wantCode(a, 413, "PostBodyTooLarge")
	if groups, _ := r.pages(0); len(groups) != 1 {
		t.Errorf("%d groups are left after one that fits no shard", len(groups))
	}
}

// kept is the memory of a shard's log groups.
func kept(sh *shard) (bytes int64) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for i := range sh.entries {
		bytes += int64(cap(sh.entries[i].data))
	}
	return bytes + int64(sh.unused+cap(sh.entries))*int64(unsafe.Sizeof(entry{}))
}

// TestShardMemory: whatever was put in whichever way, and whatever has expired of it, the
// memory of a shard stays within its bound.
func TestShardMemory(t *testing.T) {
	const bound = 1 << 18
	r := newRig(t, Config{RetentionBytes: bound, Projects: []Project{{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 1}}}}})
	ls, err := r.findLogstore("p", "ls")
	if err != nil {
		t.Fatal(err)
	}
	sh := ls.shard(0)
	random := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 100_000)
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	for i := range 8000 {
		value := noise[:random.IntN(10)]
		switch {
		case i%100 == 0:
			value = noise[:random.IntN(len(noise))]
		case i%100 == 1:
			value = make([]byte, 1000)
		}
		group := logGroup("k", string(value))
		body, kind := group, ""
		if i%2 == 0 {
			body, kind = lz4Block(t, group), "lz4"
		}
		req := httptest.NewRequest("POST", "http://p.sls.test/logstores/ls", bytes.NewReader(body))
		if i%3 == 0 {
			req.ContentLength = -1 // it comes in chunks
		}
		req.Header = http.Header{
			"Content-Type": {"application/x-protobuf"}, "X-Log-Bodyrawsize": {strconv.Itoa(len(group))}, "X-Log-Compresstype": {kind},
		}
		if a := sendTo(r.Server, req); a.status != 200 {
			t.Fatalf("put %d: %d %s", i, a.status, a.body)
		}
		if random.IntN(200) == 0 {
			if err := r.Expire("p", "ls", 0, random.IntN(1000)); err != nil {
				t.Fatal(err)
			}
		}
		if n := kept(sh); n > bound || sh.bytes > bound || n > sh.bytes {
			t.Fatalf("put %d: %d groups take %d bytes and count for %d, the bound is %d", i, len(sh.entries), n, sh.bytes, bound)
		}
	}
	if err := r.Expire("p", "ls", 0, -1); err != nil {
		t.Fatal(err)
	}
	if n := kept(sh); n != 0 || sh.bytes != 0 {
		t.Errorf("an empty shard takes %d bytes and counts for %d", n, sh.bytes)
	}
}

func lz4Block(t testing.TB, raw []byte) []byte {
	t.Helper()
	body := make([]byte, lz4.CompressBlockBound(len(raw)))
	var c lz4.Compressor
	n, err := c.CompressBlock(raw, body)
	if err != nil {
		t.Fatal(err)
	}
	if n == 0 {
		return appendLiterals(nil, 0, raw)
	}
	return body[:n]
}

// TestDroppedMemoryIsFree: what is dropped is not held on to by its neighbours, and a page
// that is read meanwhile stays as it is.
func TestDroppedMemoryIsFree(t *testing.T) {
	sh := &shard{}
	var gone []weak.Pointer[byte]
	for range 20 {
		data := bytes.Repeat([]byte{7}, 1000)
		gone = append(gone, weak.Make(&data[0]))
		b, err := readBlock(appendLiterals(nil, 0, data), len(data))
		if err != nil {
			t.Fatal(err)
		}
		b.data = data
		if ok, err := sh.append(b, time.Now(), 0); !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	page, _ := sh.read(0, 4, 2, 1<<20)
	sh.drop(3)
	runtime.GC()
	for i, p := range gone {
		want := i < 2 || i >= 3
		if got := p.Value() != nil; got != want {
			t.Errorf("group %d is in memory: %v, want %v", i, got, want)
		}
	}
	if len(page) != 2 || page[0].data[999] != 7 || page[1].data[999] != 7 {
		t.Error("the page that was read has changed")
	}
	runtime.KeepAlive(sh)
}

// TestPageCacheMemory: a page counts for the memory that it takes, and does not keep the
// shard that it is of.
func TestPageCacheMemory(t *testing.T) {
	var p pageCache
	sh := &shard{}
	left := weak.Make(sh)
	for i := range int64(100_000) {
		p.put(pageKey{weak.Make(sh), i, 1}, make([]byte, 20, 1000))
	}
	if page := p.get(pageKey{weak.Make(sh), 99_999, 1}); cap(page) > 64 {
		t.Errorf("a page of %d bytes takes %d", len(page), cap(page))
	}
	for i := range int64(100_000) {
		p.put(pageKey{weak.Make(sh), i, 2}, make([]byte, 20, 1000))
	}
	if n := len(p.pages); n > pageCacheBytes/pageCachePlace || n < 10_000 {
		t.Errorf("there are %d small pages", n)
	}
	sh = nil
	runtime.GC()
	if left.Value() != nil {
		t.Error("the cache keeps the shard")
	}
	runtime.KeepAlive(&p)
}

// TestNamesAreClipped: the name of a consumer does not keep the request that it came in.
func TestNamesAreClipped(t *testing.T) {
	r := newRig(t, Config{Projects: []Project{{Name: "p", Logstores: []Logstore{{Name: "ls", Shards: 1000}}}}})
	r.createGroup(60, false)
	pad := strings.Repeat("x", 15_000)
	before := heap()
	for i := range 1000 {
		if a := r.do("POST", fmt.Sprintf("%s?consumer=c%d&type=heartbeat&pad=%s", groupPath, i, pad), "[]"); a.status != 200 {
			t.Fatal(a.body)
		}
		target := fmt.Sprintf("%s?consumer=c%d&forceSuccess=true&type=checkpoint&pad=%s", groupPath, i, pad)
		if a := r.do("POST", target, fmt.Sprintf(`{"checkpoint":%q,"shard":%d}`, r.cursor(i, "begin"), i)); a.status != 200 {
			t.Fatal(a.body)
		}
	}
	if grown := heap() - before; grown > 4<<20 {
		t.Errorf("1000 consumers with a checkpoint each keep %d bytes", grown)
	}
	runtime.KeepAlive(r)
}
