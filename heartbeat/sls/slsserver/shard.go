package slsserver

import (
	"slices"
	"sort"
	"sync"
	"time"
)

// shard is an append-only sequence of log groups and a range of hash keys. The cursors of
// successive log groups are successive numbers.
type shard struct {
	id      int
	keys    keyRange
	parents []int
	created time.Time

	mu       sync.RWMutex
	closedAt time.Time // when it became read-only; zero: it is not
	first    int64     // the cursor of entries[0], or the end
	entries  []entry
	unused   int   // an upper bound of the dropped entries that still take space in the array
	bytes    int64 // the cost of the entries
}

// entry is one log group.
type entry struct {
	block
	at int64 // when it was received, Unix nanoseconds; never before its predecessor
}

// entryBytes bounds the memory that a log group takes besides its data: two and a quarter entries.
// append may double the array, and drop lets up to a quarter of its places stay unused.
const entryBytes = 128

// cost is at least the memory that a log group takes. A larger raw size counts instead, so that
// retention does not depend on how well a client compresses.
func (e *entry) cost() int64 { return max(int64(e.raw), int64(cap(e.data))) + entryBytes }

// end is the cursor that the next log group takes. The caller holds mu.
func (sh *shard) end() int64 { return sh.first + int64(len(sh.entries)) }

func (sh *shard) readonly() bool { return !sh.closedAt.IsZero() }

// bounds returns the oldest cursor, the end, and whether the end is final.
func (sh *shard) bounds() (begin, end int64, readonly bool) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	return sh.first, sh.end(), sh.readonly()
}

// append stores a log group. It returns false if the shard is read-only.
func (sh *shard) append(b block, now time.Time, maxBytes int64) (bool, error) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.readonly() {
		return false, nil
	}
	e := entry{block: b, at: now.UnixNano()}
	if n := len(sh.entries); n > 0 {
		e.at = max(e.at, sh.entries[n-1].at) // the clock may go back; times in a shard must not
	}
	if cost := e.cost(); maxBytes > 0 && cost > maxBytes {
		return false, fail(413, "PostBodyTooLarge", "the log group takes %d bytes, and a shard keeps %d", cost, maxBytes)
	}
	sh.push(e, maxBytes)
	return true, nil
}

// push adds an entry, and drops old ones above the bound. The caller holds mu, or is the only user
// of the shard.
func (sh *shard) push(e entry, maxBytes int64) {
	sh.entries = append(sh.entries, e)
	sh.bytes += e.cost()
	n := 0
	for left := sh.bytes; maxBytes > 0 && left > maxBytes && n < len(sh.entries); n++ {
		left -= sh.entries[n].cost()
	}
	sh.drop(n)
}

// drop frees the n oldest log groups. It may clear their entries, because readers have copies. The
// caller holds mu.
func (sh *shard) drop(n int) {
	if n == 0 {
		return
	}
	for i := range sh.entries[:n] {
		sh.bytes -= sh.entries[i].cost()
	}
	clear(sh.entries[:n])
	sh.first += int64(n)
	sh.entries = sh.entries[n:]
	if sh.unused += n; sh.unused > len(sh.entries)/4 {
		sh.entries, sh.unused = append([]entry(nil), sh.entries...), 0
	}
}

// from returns the cursor of the first log group received at or after at.
func (sh *shard) from(at int64) int64 {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	n := sort.Search(len(sh.entries), func(i int) bool { return sh.entries[i].at >= at })
	return sh.first + int64(n)
}

// receivedAt returns when the log group at a cursor was received, or now at the end.
func (sh *shard) receivedAt(cursor int64, now time.Time) time.Time {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	if i := cursor - sh.first; i >= 0 && i < int64(len(sh.entries)) {
		return time.Unix(0, sh.entries[i].at)
	}
	return now
}

// read returns up to count entries from a cursor on, before limit, and the end of the shard. It
// stops after the entry that reaches maxBytes. The caller must not change the data.
func (sh *shard) read(cursor, limit int64, count, maxBytes int) (entries []entry, end int64) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	end = sh.end()
	limit = min(limit, end)
	if cursor < sh.first || cursor >= limit {
		return nil, end
	}
	i := int(cursor - sh.first)
	n, size := 0, 0
	for n < count && cursor+int64(n) < limit && size < maxBytes {
		size += int(sh.entries[i+n].raw)
		n++
	}
	return slices.Clone(sh.entries[i : i+n]), end
}

// expire drops the log groups received before at. It reports whether a read-only shard lost its
// last one.
func (sh *shard) expire(at int64) bool {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	before := len(sh.entries)
	sh.drop(sort.Search(len(sh.entries), func(i int) bool { return sh.entries[i].at >= at }))
	return before > 0 && len(sh.entries) == 0 && sh.readonly()
}
