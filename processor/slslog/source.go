package slslog

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// Client has the methods of *sls.Client that a Source uses.
type Client interface {
	Pull(ctx context.Context, r sls.PullRequest) (sls.Page, error)
	Cursor(ctx context.Context, shard int, from sls.From) (string, error)
	ListShards(ctx context.Context) ([]sls.Shard, error)
	ClockOffset() (least, most time.Duration)
	Logstore() string
}

// Source reads the logs of one logstore, for one group. It is a batch.Source of log groups. The groups
// of a batch are valid until the handler returns: see Group.
//
// A Source is safe for concurrent use. Use one Source for all shards of a worker, because they share its
// memory for pages.
type Source struct {
	client  Client
	o       Options
	created time.Time // by the wall clock
	closed  closedShards
	origins origins
	buffers *buffers
}

// maxIdle bounds the memory that is kept for later pages, in bytes.
const maxIdle = 16 << 20

// New returns a Source. It does no I/O. If c is nil or o is wrong, the error is a
// *shardset.ConfigError that lists every fault.
func New(c Client, o Options) (*Source, error) {
	faults := &shardset.ConfigError{Config: "slslog.Options"}
	if c == nil {
		faults.Add("Client", "is nil")
	}
	if err := o.setDefaults(faults); err != nil {
		return nil, err
	}
	s := &Source{client: c, o: o, created: time.Now().Round(0), origins: newOrigins(), buffers: newBuffers(maxIdle)}
	s.closed = closedShards{list: c.ListShards, shards: shardList{every: o.ShardsEvery}}
	return s, nil
}

// Open implements batch.Source.
func (s *Source) Open(ctx context.Context, id shardset.ID, start batch.Start) (batch.Reader[Group], error) {
	if id.Log != s.client.Logstore() {
		return nil, processor.Fatal(fmt.Errorf("slslog: shard %s is not of the logstore %q", id, s.client.Logstore()))
	}
	log := start.Logger
	if log == nil {
		log = zap.NewNop()
	}
	r := &reader{
		source: s, shard: id.Number, log: log, opened: time.Now(),
		cursor: string(start.Position), until: start.Until,
	}
	if r.cursor == "" {
		if err := r.findStart(ctx, start); err != nil {
			return nil, batchError(err)
		}
	}
	if start.UntilPosition != "" {
		if err := r.endAt(string(start.UntilPosition)); err != nil {
			return nil, processor.Halt(err) // the reader could never find out that it has reached the end
		}
	}
	return r, nil
}
