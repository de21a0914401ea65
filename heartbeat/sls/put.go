package sls

import (
	"context"
	"net/http"
)

// PutOptions are the options of Put.
type PutOptions struct {
	// HashKey is 32 lower-case hex digits. It selects the shard whose range contains it. Empty
	// means that the service selects a shard.
	HashKey string
	// Compression is the compression of the request. Empty means LZ4.
	Compression Compression
}

// Put writes one log group to one shard. The argument is an uncompressed LogGroup in protobuf. Nil
// means that the service confirmed the write. After an *Error or a *UsageError the service did not
// write the group; after any other error it may have.
func (c *Client) Put(ctx context.Context, group []byte, o PutOptions) error {
	switch {
	case len(group) == 0:
		return usage(opPut, "the log group is empty")
	case o.HashKey != "" && !validKey(o.HashKey):
		return usage(opPut, "the key %s is not 32 lower-case hex digits", quote(o.HashKey))
	case !o.Compression.valid():
		return usage(opPut, "%s is not a compression", quote(string(o.Compression)))
	}
	body, err := o.Compression.compress(group)
	if err != nil {
		return usage(opPut, "the log group cannot be compressed: %v", err)
	}
	// Two paths are in use for "any shard"; this is the documented one.
	q := &call{
		op: opPut, method: http.MethodPost, path: "/logstores/" + c.cfg.Logstore + "/shards/lb",
		body: body, typ: typeProtobuf, rawLen: len(group), comp: o.Compression.name(),
	}
	if o.HashKey != "" {
		q.path = "/logstores/" + c.cfg.Logstore + "/shards/route"
		q.query = []param{{"key", o.HashKey}}
	}
	return c.send(ctx, q, noResult)
}
