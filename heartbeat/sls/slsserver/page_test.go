package slsserver

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"testing"
)

// pull reads a page and undoes its compression with code of its own.
func (r *rig) pull(shard int, cursor string, more ...string) (groups [][]byte, next string, a answer) {
	r.t.Helper()
	query := ""
	for _, m := range more {
		query += "&" + m
	}
	a = r.do("GET", fmt.Sprintf("/logstores/ls/shards/%d?type=logs&cursor=%s%s", shard, cursor, query), "",
		"Accept-Encoding: lz4", "Accept: application/x-protobuf")
	if a.status != 200 {
		r.t.Fatalf("pull: %d %s", a.status, a.body)
	}
	return pageGroups(r.t, a), a.header.Get("x-log-cursor"), a
}

func pageGroups(t *testing.T, a answer) [][]byte {
	t.Helper()
	raw, err := strconv.Atoi(a.header.Get("x-log-bodyrawsize"))
	if err != nil {
		t.Fatalf("x-log-bodyrawsize: %v", err)
	}
	list := []byte(a.body)
	if raw > 0 {
		if got := a.header.Get("x-log-compresstype"); got != "lz4" {
			t.Fatalf("x-log-compresstype is %q", got)
		}
		list = slowLZ4(t, []byte(a.body))
	}
	if len(list) != raw {
		t.Fatalf("the page has %d bytes, and says %d", len(list), raw)
	}
	var groups [][]byte
	for len(list) > 0 {
		n, m := binary.Uvarint(list[1:])
		if list[0] != 0x0a || m <= 0 {
			t.Fatalf("the page is not a list: % x", list[:min(len(list), 16)])
		}
		groups = append(groups, list[1+m:1+m+int(n)])
		list = list[1+m+int(n):]
	}
	if got := a.header.Get("x-log-count"); got != strconv.Itoa(len(groups)) {
		t.Fatalf("x-log-count is %s with %d groups", got, len(groups))
	}
	return groups
}

// slowLZ4 decompresses a block byte by byte, as its format's description has it.
func slowLZ4(t *testing.T, src []byte) []byte {
	t.Helper()
	var out []byte
	length := func(n int) int {
		if n == 15 {
			for {
				b := src[0]
				src = src[1:]
				n += int(b)
				if b != 255 {
					break
				}
			}
		}
		return n
	}
	for {
		token := src[0]
		src = src[1:]
		n := length(int(token >> 4))
		out = append(out, src[:n]...)
		src = src[n:]
		if len(src) == 0 {
			return out
		}
		offset := int(src[0]) | int(src[1])<<8
		src = src[2:]
		n = length(int(token&15)) + 4
		for range n {
			out = append(out, out[len(out)-offset])
		}
	}
}
