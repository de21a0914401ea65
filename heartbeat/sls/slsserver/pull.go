package slsserver

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"weak"

	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/zstdframe"
)

const maxCount = 1000

func (s *Server) pull(c *call) error {
	sh, err := s.shardOf(c)
	if err != nil {
		return err
	}
	cursor, err := s.position(sh, c.query.Get("cursor"))
	if err != nil {
		return err
	}
	count := maxCount
	if text := c.query.Get("count"); text != "" {
		if count, err = strconv.Atoi(text); err != nil || count < 1 || count > maxCount {
			return badParameter("the count %q is not between 1 and %d", text, maxCount)
		}
	}
	limit, bounded := int64(math.MaxInt64), false
	for _, name := range []string{"end_cursor", "endCursor"} { // Rust sends the second
		if text := c.query.Get(name); text != "" {
			if limit, bounded = parseCursor(text); !bounded {
				return badCursor("%s is %q", name, text)
			}
		}
	}
	f, err := s.filterOf(c)
	if err != nil {
		return err
	}
	entries, end := sh.read(cursor, limit, count, s.cfg.MaxPageBytes)
	next := cursor + int64(len(entries))
	h := c.w.Header()
	h["X-Log-Cursor"] = []string{formatCursor(next)}
	h["X-Log-Cursor-Time"] = []string{strconv.FormatInt(sh.receivedAt(next, s.cfg.Clock()).Unix(), 10)}
	if next >= end || bounded && next >= limit {
		h["X-Log-End-Of-Cursor"] = []string{"1"}
	}
	kind := compressionFor(c.r.Header.Get("Accept-Encoding"))
	if f != nil {
		return c.replyFiltered(entries, f, kind)
	}
	if len(entries) > 0 {
		h["X-Log-Read-Last-Cursor"] = []string{strconv.FormatInt(next-1, 10)}
	}
	return s.replyPage(c, entries, cursor, sh, kind)
}

// compressionFor reads Accept-Encoding. A client that asks for neither lz4 nor zstd gets lz4,
// because no client can read an uncompressed page.
func compressionFor(accept string) string {
	for kind := range strings.SplitSeq(accept, ",") {
		kind, _, _ = strings.Cut(strings.TrimSpace(kind), ";")
		if kind = strings.ToLower(kind); kind == "lz4" || kind == "zstd" {
			return kind
		}
	}
	return "lz4"
}

// replyPage sends entries as a page, without a filter.
func (s *Server) replyPage(c *call, entries []entry, cursor int64, sh *shard, kind string) error {
	raw, packed := 0, 0
	for i := range entries {
		raw += listSize(int(entries[i].raw))
		packed += len(entries[i].data) + 16
	}
	if raw == 0 {
		return c.replyList(0, 0, kind, nil)
	}
	if kind == "zstd" {
		key := pageKey{weak.Make(sh), cursor, len(entries)}
		page := s.pages.get(key)
		if page == nil {
			buf := takeBuffer(0)
			defer giveBuffer(buf)
			list, err := decodeList((*buf)[:0], entries)
			if err != nil {
				return err
			}
			*buf = list
			page = zstdframe.Encode(list)
			s.pages.put(key, page)
		}
		return c.replyList(len(entries), raw, kind, page)
	}
	buf := takeBuffer(packed)
	defer giveBuffer(buf)
	blocks := make([]block, len(entries))
	for i := range entries {
		blocks[i] = entries[i].block
	}
	*buf = joinBlocks((*buf)[:0], blocks)
	return c.replyList(len(entries), raw, kind, *buf)
}

// decodeList appends log groups, decompressed, as a LogGroupList.
func decodeList(dst []byte, entries []entry) ([]byte, error) {
	var err error
	for i := range entries {
		dst = appendListHeader(dst, int(entries[i].raw))
		if dst, err = entries[i].decode(dst); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// replyList sends a compressed LogGroupList.
func (c *call) replyList(count, raw int, kind string, packed []byte) error {
	h := c.w.Header()
	h["X-Log-Count"] = []string{strconv.Itoa(count)}
	h["X-Log-Bodyrawsize"] = []string{strconv.Itoa(raw)}
	if raw > 0 {
		h["X-Log-Compresstype"] = []string{kind}
	} else {
		packed = nil
	}
	return c.reply("application/x-protobuf", packed)
}

// pack compresses a LogGroupList.
func pack(list []byte, kind string) ([]byte, error) {
	if kind == "zstd" {
		return zstdframe.Encode(list), nil
	}
	b, err := newBlock(list)
	return b.data, err
}

// pageCache keeps the newest zstd pages, because zstd frames cannot be joined as lz4 blocks can. A
// cached page stays valid: log groups do not change.
type pageCache struct {
	mu    sync.Mutex
	pages map[pageKey][]byte
	order []pageKey
	bytes int
}

type pageKey struct {
	shard  weak.Pointer[shard] // weak, so that the cache does not keep deleted shards
	cursor int64
	count  int
}

const (
	pageCacheBytes = 32 << 20
	pageCachePlace = 256 // bytes that the cache needs for a page besides the page itself
)

func pageCost(page []byte) int { return cap(page) + pageCachePlace }

func (p *pageCache) get(k pageKey) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pages[k]
}

func (p *pageCache) put(k pageKey, page []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pages == nil {
		p.pages = map[pageKey][]byte{}
	}
	page = clipped(page) // the encoder's buffer has the raw size
	if _, ok := p.pages[k]; ok || len(page) > pageCacheBytes/4 {
		return
	}
	p.pages[k] = page
	p.order = append(p.order, k)
	p.bytes += pageCost(page)
	for p.bytes > pageCacheBytes {
		p.bytes -= pageCost(p.pages[p.order[0]])
		delete(p.pages, p.order[0])
		p.order = p.order[1:]
	}
}

var _ http.Handler = (*Server)(nil)
