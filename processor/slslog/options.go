package slslog

import (
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/shardset"
)

// Defaults of Options.
const (
	// With this pause a log waits 90 ms on average, at fewer than six reads a second and shard.
	defaultPause       = 175 * time.Millisecond
	defaultMaxRaw      = 64 << 20
	defaultShardsEvery = 3 * time.Second
)

// Options is how logs are read. The zero value is ready to use.
type Options struct {
	// Query is an SPL statement with which the service filters before it sends. Processor is the
	// name of a stored statement. Set at most one. If the filter drops everything, the position
	// still moves and is committed.
	Query, Processor string
	// Compression is the compression of pages. Empty means lz4.
	Compression sls.Compression
	// Pause is the least time between two reads of a shard that was read to its end. Zero means
	// 175 ms.
	Pause time.Duration
	// MaxRaw bounds a page, in bytes after decompression. A larger page is read in parts. A single
	// log group that is larger is a *TooLargeError, which halts its shard after five seconds.
	// Zero means 64 MiB, the most that a client reads.
	MaxRaw int
	// ShardsEvery is the greatest age of the list of shards, which says whether a shard was closed
	// by a split or a merge. The list is requested only while some shard is at its end. Zero means
	// 3 s. Without the list, reading goes on. Shards at their ends then show trouble, and commit
	// their positions again once or twice a minute: at a commit the service checks whether a
	// closed shard is complete.
	ShardsEvery time.Duration
}

// setDefaults fills in the defaults, and returns faults with those of o added, or nil.
func (o *Options) setDefaults(faults *shardset.ConfigError) error {
	if o.Query != "" && o.Processor != "" {
		faults.Add("Processor", "is set, and so is Query; the service takes one of them")
	}
	switch o.Compression {
	case "", sls.LZ4, sls.Zstd, sls.None:
	default:
		faults.Add("Compression", "is %q; want lz4, zstd or none", o.Compression)
	}
	setDefault(faults, "Pause", &o.Pause, defaultPause)
	setDefault(faults, "MaxRaw", &o.MaxRaw, defaultMaxRaw)
	setDefault(faults, "ShardsEvery", &o.ShardsEvery, defaultShardsEvery)
	return faults.Err()
}

// setDefault fills in a default for zero. A negative number is a fault.
func setDefault[N int | time.Duration](faults *shardset.ConfigError, field string, n *N, byDefault N) {
	if *n < 0 {
		faults.Add(field, "is %v; it must not be negative", *n)
	}
	if *n == 0 {
		*n = byDefault
	}
}
