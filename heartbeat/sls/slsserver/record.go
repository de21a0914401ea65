package slsserver

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// Kinds of records in the journal.
const (
	recProject    = "project"
	recNoProject  = "noproject"
	recLogstore   = "logstore"
	recNoLogstore = "nologstore"
	recGroup      = "group"
	recNoGroup    = "nogroup"
	recCheckpoint = "checkpoint"
	recBegin      = "begin"
)

// record is one line of the journal: it replaces what was said before of the same thing.
type record struct {
	Type     string `json:"type"`
	Project  string `json:"project"`
	Logstore string `json:"logstore,omitempty"`

	Description string `json:"description,omitempty"`
	Created     int64  `json:"created,omitempty"` // Unix nanoseconds

	Days   int           `json:"days,omitempty"`
	Dir    int           `json:"dir,omitempty"`
	Next   int           `json:"next,omitempty"`
	Shards []shardRecord `json:"shards,omitempty"`

	Group       string        `json:"group,omitempty"`
	TTL         time.Duration `json:"ttl,omitempty"`
	Order       bool          `json:"order,omitempty"`
	OrderedFrom int           `json:"orderedFrom,omitempty"`

	Checkpoints []checkpointRecord `json:"checkpoints,omitempty"`

	Shard  int   `json:"shard,omitempty"`
	Cursor int64 `json:"cursor,omitempty"`
}

type shardRecord struct {
	ID      int    `json:"id"`
	Begin   string `json:"begin"`
	End     string `json:"end"`
	Parents []int  `json:"parents,omitempty"`
	Created int64  `json:"created"` // Unix nanoseconds
	Closed  int64  `json:"closed,omitempty"`
	Origin  int64  `json:"origin"`
}

type checkpointRecord struct {
	Shard  int    `json:"shard"`
	Cursor int64  `json:"cursor"`
	At     int64  `json:"at"` // Unix microseconds
	By     string `json:"by,omitempty"`
}

func (sh *shard) record() shardRecord {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	r := shardRecord{
		ID: sh.id, Begin: sh.keys.begin.String(), End: sh.keys.end.String(), Parents: sh.parents,
		Created: sh.created.UnixNano(), Origin: sh.origin,
	}
	if sh.readonly() {
		r.Closed = sh.closedAt.UnixNano()
	}
	return r
}

// shard is the reverse of shard.record.
func (r shardRecord) shard() (*shard, error) {
	begin, ok := parseKey(r.Begin)
	end, okEnd := parseKey(r.End)
	if !ok || !okEnd || r.ID < 0 {
		return nil, errors.New("a shard in the journal makes no sense")
	}
	sh := &shard{
		id: r.ID, keys: keyRange{begin, end}, parents: r.Parents,
		created: time.Unix(0, r.Created), origin: r.Origin, first: r.Origin,
	}
	if r.Closed != 0 {
		sh.closedAt = time.Unix(0, r.Closed)
	}
	return sh, nil
}

// record describes the group. The caller holds mu, or is the only one.
func (c *consumers) record() record {
	return record{
		Type: recGroup, Project: c.logstore.project, Logstore: c.logstore.name, Group: c.name,
		TTL: c.ttl, Order: c.order, OrderedFrom: c.orderedFrom,
	}
}

func (cp checkpoint) record(shard int) checkpointRecord {
	return checkpointRecord{Shard: shard, Cursor: cp.cursor, At: cp.at.UnixMicro(), By: cp.by}
}

func (r checkpointRecord) checkpoint() checkpoint {
	return checkpoint{cursor: r.Cursor, at: time.UnixMicro(r.At), by: r.By}
}

// Frames are what files consist of: a length, a checksum of both, and the payload.
const (
	frameHeader = 8
	maxFrame    = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func frameSum(header, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(header[:4], castagnoli), castagnoli, payload)
}

// appendFrame appends a payload with its header.
func appendFrame(dst, payload []byte) []byte {
	var h [frameHeader]byte
	binary.LittleEndian.PutUint32(h[:4], uint32(len(payload)))
	binary.LittleEndian.PutUint32(h[4:], frameSum(h[:], payload))
	return append(append(dst, h[:]...), payload...)
}

// cutFrame takes the first frame off data. It is not ok if that is torn or damaged.
func cutFrame(data []byte) (payload, rest []byte, ok bool) {
	if len(data) < frameHeader {
		return nil, data, false
	}
	n := binary.LittleEndian.Uint32(data)
	if n > maxFrame || int(n) > len(data)-frameHeader {
		return nil, data, false
	}
	payload = data[frameHeader : frameHeader+int(n)]
	if frameSum(data, payload) != binary.LittleEndian.Uint32(data[4:]) {
		return nil, data, false
	}
	return payload, data[frameHeader+int(n):], true
}
