package sls

import (
	"context"
	"net/http"
)

// PutOptions are the options of Put.
type PutOptions struct {
	// HashKey selects the shard whose range has the key: 32 lower-case hex digits. Empty
	// means that the service selects a shard.
	HashKey string
	// Compression is how the log group is sent. Empty means LZ4.
	Compression Compression
}

// Put writes one LogGroup, given in protobuf and not compressed, to one shard. Nil means that the
// service confirmed it. After an *Error or a *UsageError the group was not written; after any other
// error it may have been.
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
	return c.send(ctx, q, nothing)
}
