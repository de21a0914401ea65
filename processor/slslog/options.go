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

// Options says how logs are read. The zero value is ready to use.
type Options struct {
	// Query is an SPL statement: the service filters the logs with it before it sends them.
	// Processor is the name of a stored statement. Set at most one. If the filter drops all logs, the
	// position still moves and is committed.
	Query, Processor string
	// Compression is the compression of pages. Empty means lz4.
	Compression sls.Compression
	// Pause is the shortest time between two reads of a shard that was read to its end. Zero means
	// 175 ms.
	Pause time.Duration
	// MaxRaw bounds a page, in bytes after decompression. A larger page is read in parts. If a
	// single log group is larger, the shard is halted after five seconds, with a *TooLargeError.
	// Zero means 64 MiB, the most that a client reads.
	MaxRaw int
	// ShardsEvery is how old the list of shards may be before it is requested again. Zero means 3 s.
	// The list shows whether a shard was closed by a split or a merge, so it is requested only while
	// some shard is at its end. The package comment says what happens without the list.
	ShardsEvery time.Duration
}

// setDefaults fills in the defaults and adds the faults of o to faults. It returns faults as an error,
// or nil if there are none.
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
