package slslog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// Defaults of Options.
const (
	// With defaultPause, what is put waits some 90 ms on average, at fewer than six reads a
	// second and shard.
	defaultPause       = 175 * time.Millisecond
	defaultMaxRaw      = 64 << 20
	defaultShardsEvery = 3 * time.Second
)

// Client is what a Source needs of *sls.Client.
type Client interface {
	Pull(ctx context.Context, r sls.PullRequest) (sls.Page, error)
	Cursor(ctx context.Context, shard int, from sls.From) (string, error)
	ListShards(ctx context.Context) ([]sls.Shard, error)
	ClockOffset() (least, most time.Duration)
	Logstore() string
}

// Options is how logs are read. The zero value is a good default for all of it.
type Options struct {
	// Query is an SPL statement with which the service filters before it sends, and
	// Processor the name of a stored one. Where nothing passes, the position moves and
	// is committed all the same.
	Query, Processor string
	// Compression is what pages come in. Empty means lz4.
	Compression sls.Compression
	// Pause is the least time between two reads of a shard that was read to its end.
	// Zero means 175 ms.
	Pause time.Duration
	// MaxRaw bounds a page, decompressed, in bytes. One that is larger is read in parts;
	// a single log group that is larger is a *TooLargeError, which halts its shard after
	// five seconds. Zero means 64 MiB, which is the most that a client reads.
	MaxRaw int
	// ShardsEvery is how old the list of shards may be that tells whether a shard was
	// closed by a split or a merge. It is asked for only while there is a shard that
	// was read to its end. Zero means 3 s. As long as it cannot be had, the shards are
	// read on; those at their ends show that as trouble, and commit their positions
	// again once or twice a minute, which has the service look whether they are done.
	ShardsEvery time.Duration
}

// Source reads the logs of one logstore, as a batch.Source of log groups. The groups of
// a batch are views that are valid until the handler returns: see Group.
//
// A Source is safe for concurrent use; one serves all shards of a worker, and keeps the
// memory for their pages. It is for one group: see the package comment on where shards
// begin.
type Source struct {
	client  Client
	o       Options
	created time.Time // by the wall clock
	closed  closedShards
	origins origins
	buffers *buffers
}

// maxIdle bounds the memory that is kept for later pages.
const maxIdle = 16 << 20

// New returns a Source. It does no I/O. If c is nil or o is wrong, the error is a
// *shardset.ConfigError that lists every fault.
func New(c Client, o Options) (*Source, error) {
	faults := &shardset.ConfigError{Config: "slslog.Options"}
	if c == nil {
		faults.Add("Client", "is nil")
	}
	if o.Pause < 0 {
		faults.Add("Pause", "is %v; it must not be negative", o.Pause)
	}
	switch o.Compression {
	case "", sls.LZ4, sls.Zstd, sls.None:
	default:
		faults.Add("Compression", "is %q; want lz4, zstd or none", o.Compression)
	}
	if o.MaxRaw < 0 {
		faults.Add("MaxRaw", "is %d; it must not be negative", o.MaxRaw)
	}
	if o.ShardsEvery < 0 {
		faults.Add("ShardsEvery", "is %v; it must not be negative", o.ShardsEvery)
	}
	if o.Query != "" && o.Processor != "" {
		faults.Add("Processor", "is set, and so is Query; the service takes one of them")
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if o.Pause == 0 {
		o.Pause = defaultPause
	}
	if o.MaxRaw == 0 {
		o.MaxRaw = defaultMaxRaw
	}
	if o.ShardsEvery == 0 {
		o.ShardsEvery = defaultShardsEvery
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
		if err := r.stopAt(string(start.UntilPosition)); err != nil {
			return nil, processor.Halt(err) // nobody could tell when it is reached
		}
	}
	return r, nil
}

// fromInitial is where an Initial is, in the service's words.
func fromInitial(i batch.Initial) (sls.From, error) {
	if at, ok := i.Time(); ok {
		return fromTime(at), nil
	}
	switch {
	case i == batch.Earliest():
		return sls.Begin, nil
	case i == batch.Latest():
		return sls.End, nil
	}
	return "", processor.Fatal(fmt.Errorf("slslog: the initial position %v is not known", i))
}

// fromTime is the first log group of the second that t is in, or later. Nothing was
// received before 1970.
func fromTime(t time.Time) sls.From {
	if t.Unix() < 0 {
		return sls.Begin
	}
	return sls.At(t)
}

// batchError translates an error of the client into what the loop knows.
func batchError(err error) error {
	var refused *sls.Error
	var senseless *sls.UsageError
	switch {
	case errors.Is(err, sls.ErrThrottled):
		return fmt.Errorf("%w: %w", batch.ErrThrottled, err)
	case errors.Is(err, sls.ErrInvalidCursor):
		return fmt.Errorf("%w: %w", batch.ErrExpired, err)
	case errors.Is(err, sls.ErrShardNotFound):
		// Its data has expired to the last. Whether all of it had been read, nobody
		// can tell any more.
		return fmt.Errorf("%w: %w", batch.ErrGone, err)
	case errors.As(err, &senseless):
		return processor.Halt(err)
	case errors.As(err, &refused) && refused.HTTPStatus == http.StatusBadRequest && badParameter(refused.Code):
		return processor.Halt(err)
	}
	return err
}

// badParameter reports whether a code says that the request itself is wrong: its query is
// not one, for instance, and will not become one. Any other refusal may be mended while
// the worker runs, so it is tried again.
func badParameter(code string) bool {
	return strings.EqualFold(code, "ParameterInvalid") || strings.EqualFold(code, "InvalidParameter")
}
