package sls

import (
	"context"
	"net/http"
	"strconv"
)

// MaxCount is the largest PullRequest.Count.
const MaxCount = 1000

// PullRequest describes the page to read.
type PullRequest struct {
	Shard  int
	Cursor string // the first log group to read
	// EndCursor is exclusive: the page ends before the log group at EndCursor. Empty means no
	// bound.
	EndCursor string
	// Count is the maximum number of log groups in the page, at most MaxCount. Zero means MaxCount.
	Count int
	// Query is an SPL statement with which the service filters the logs. Empty means none.
	Query string
	// Processor is the name of a query that is stored in the service. Empty means none.
	Processor string
	// Compression is the compression to ask the service for. Empty means LZ4.
	Compression Compression
	// Buffer is memory for Page.Body, up to its capacity. Pull allocates memory for a body that
	// does not fit.
	Buffer []byte
}

// Pull reads one page. The service does not fence reads: every client may read every shard at any
// time. The error is a *ResponseError if the page lacks a header, or if its headers contradict each
// other, its body or the request's cursor.
func (c *Client) Pull(ctx context.Context, r PullRequest) (Page, error) {
	if err := r.validate(); err != nil {
		return Page{}, err
	}
	q := &call{
		op: opPull, method: http.MethodGet, path: c.shardPath(r.Shard), query: r.query(),
		accept: r.Compression.accept(),
	}
	var p Page
	err := c.send(ctx, q, func(resp *http.Response) (err error) {
		p, err = readPage(resp, r.Cursor, r.Buffer)
		return err
	})
	if err != nil {
		return Page{}, err
	}
	return p, nil
}

func (r *PullRequest) validate() error {
	switch {
	case r.Shard < 0 || r.Shard > maxShard:
		return usage(opPull, "%d is not a shard number", r.Shard)
	case !validCursor(r.Cursor):
		return usage(opPull, "%s is not a cursor", quote(r.Cursor))
	case r.EndCursor != "" && !validCursor(r.EndCursor):
		return usage(opPull, "%s is not a cursor to end at", quote(r.EndCursor))
	case r.Count < 0 || r.Count > MaxCount:
		return usage(opPull, "the count %d is not 1 to %d", r.Count, MaxCount)
	case !r.Compression.valid():
		return usage(opPull, "%s is not a compression", quote(string(r.Compression)))
	}
	return nil
}

func (r *PullRequest) query() []param {
	count := r.Count
	if count == 0 {
		count = MaxCount
	}
	q := append(make([]param, 0, 7), param{"count", strconv.Itoa(count)}, param{"cursor", r.Cursor})
	if r.EndCursor != "" {
		q = append(q, param{"end_cursor", r.EndCursor})
	}
	if r.Processor != "" {
		q = append(q, param{"processor", r.Processor})
	}
	if r.Query != "" {
		q = append(q, param{"pullMode", "scan_on_stream"}, param{"query", r.Query})
	}
	return append(q, param{"type", "logs"})
}
