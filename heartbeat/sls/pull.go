package sls

import (
	"context"
	"net/http"
	"strconv"
)

// MaxCount is the most log groups that one pull may ask for.
const MaxCount = 1000

// PullRequest says what to read.
type PullRequest struct {
	Shard  int
	Cursor string // where to start, included
	// EndCursor is where to stop, excluded. Empty means nowhere.
	EndCursor string
	// Count is the most log groups to return, up to MaxCount. Zero means MaxCount.
	Count int
	// Query is an SPL statement that the service applies before it sends. Empty means
	// none.
	Query string
	// Processor is the name of a processor that is stored with the service. Empty
	// means none.
	Processor string
	// Compression is what the page is to come in. Empty means LZ4.
	Compression Compression
	// Buffer is where the page is read to, from its start and up to its capacity. A
	// page that does not fit gets memory of its own.
	Buffer []byte
}

// Pull reads one page. It is a *ResponseError if headers are missing that every page
// has, or if they do not fit each other, the body, or the cursor that was asked for.
//
// Reads are not fenced: anybody may read any shard at any time.
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
