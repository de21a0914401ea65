package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// options are the program's flags.
type options struct {
	endpoint, project, logstore, group string
	insecure                           bool
	signature                          sls.Signature
	region                             string

	member, memberSuffix string
	interval, timeout    time.Duration
	order, updateGroup   bool

	from, expired batch.Initial
	until         time.Time
	query         string
	compression   sls.Compression

	output      output
	handleTime  time.Duration
	concurrency int
	budget      int64
	commit      time.Duration
	drain       time.Duration

	level       zapcore.Level
	statusEvery time.Duration
}

// silent is above all levels of the library's log.
const silent = zapcore.FatalLevel

func defaults() *options {
	return &options{
		interval: 2 * time.Second, timeout: 6 * time.Second, from: batch.Earliest(),
		compression: sls.LZ4, output: outputLogs, concurrency: 1, budget: batch.DefaultBudget,
		commit: 5 * time.Second, drain: coordinator.DefaultDrainTimeout, level: zapcore.WarnLevel,
	}
}

func (o *options) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("slsworker", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.StringVar(&o.endpoint, "endpoint", "", "`address` of the service: cn-hangzhou.log.aliyuncs.com, or http://127.0.0.1:10010")
	fs.StringVar(&o.project, "project", "", "`name` of the project; empty if the endpoint names it")
	fs.StringVar(&o.logstore, "logstore", "", "`name` of the logstore")
	fs.StringVar(&o.group, "group", "", "`name` of the consumer group, which is created if it does not exist")
	fs.BoolVar(&o.insecure, "insecure", false, "allow plain http to other hosts than this one")
	fs.Func("signature", "`version` of the signature: v1 or v4 (default v1, and v4 in the regions that insist on it)", choice(&o.signature, signatures))
	fs.StringVar(&o.region, "region", "", "the service's `region`, which v4 needs: cn-hangzhou (default the one in -endpoint)")

	fs.StringVar(&o.member, "member", "", "`name` of this worker, unique and stable (default the name of the host)")
	fs.StringVar(&o.memberSuffix, "member-suffix", "", "`text` added to the name after a hyphen: for several workers on one host")
	fs.DurationVar(&o.interval, "interval", o.interval, "`time` between heartbeats; three must fit in -timeout, and in that of a group that exists")
	fs.DurationVar(&o.timeout, "timeout", o.timeout, "how long the group waits for a silent worker, in whole seconds; a group that exists keeps its own `time`")
	fs.BoolVar(&o.order, "order", false, "the children of a split shard wait until it was read to its end; a group that exists keeps its own rule")
	fs.BoolVar(&o.updateGroup, "update-group", false, "change a group that exists to -timeout and -order")

	fs.Func("from", "where a new group begins: begin, end, or a `time` as RFC 3339 or Unix seconds, which may be in the future (default begin)", into(&o.from, parseFrom))
	fs.Func("expired", "where to go on when what comes next has expired: fail, earliest or latest; `place` fail holds the shard and reads nothing (default fail)", choice(&o.expired, places))
	fs.Func("until", "end when everything that the service received before this `time` is done: RFC 3339 or Unix seconds; give it to all workers of the group", into(&o.until, parseTime))
	fs.StringVar(&o.query, "query", "", "SPL `statement` with which the service filters: \"* | where level = 'warn'\"")
	fs.Func("compression", "`kind` of compression to read with: lz4, zstd or none (default lz4)", choice(&o.compression, compressions))

	fs.Func("output", "what to print: logs, batches or none; `kind` none reads all values all the same (default logs)", choice(&o.output, outputs))
	fs.DurationVar(&o.handleTime, "handle-time", 0, "sleep this `time` for each batch, as if it were work")
	fs.IntVar(&o.concurrency, "concurrency", o.concurrency, "handle this `number` of batches of one shard at a time; lines then come in any order")
	fs.Func("budget", "`bytes` for what was read and is not handled: 1000000, 512K, 64M, 1G (default 64M)", into(&o.budget, parseBytes))
	fs.DurationVar(&o.commit, "commit", o.commit, "commit after this `time` at the latest; at once when a shard is idle or has to go")
	fs.DurationVar(&o.drain, "drain", o.drain, "`time` to finish what is handled when a shard or the worker has to go")

	fs.Func("log-level", "write the library's log to standard error from this `level` on: off, error, warn, info or debug (default warn)", choice(&o.level, levels))
	fs.DurationVar(&o.statusEvery, "status-every", 0, "print a line about the worker to standard error at this `interval`; 0 is never")
	return fs
}

// parse reads the command line and checks all of it.
func parse(args []string) (*options, error) {
	o := defaults()
	var faults faults
	for fs := o.flags(); len(args) > 0; {
		err := fs.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		rest := fs.Args() // after an error, what comes behind it
		if err != nil {
			faults.add("%v", err)
		}
		if len(rest) > 0 && (err == nil || len(rest) == len(args)) {
			if err == nil {
				faults.add("%q is no flag", rest[0])
			}
			rest = rest[1:]
		}
		args = rest
	}
	o.complete(&faults)
	o.check(&faults)
	return o, faults.err()
}

// complete fills in what depends on the host.
func (o *options) complete(faults *faults) {
	if o.member == "" {
		host, err := os.Hostname()
		if err != nil {
			faults.add("-member is empty, and the host has no name: %v", err)
		}
		o.member = host
	}
	if o.memberSuffix != "" {
		o.member += "-" + o.memberSuffix
	}
}

// Bounds of the flags.
const (
	minInterval    = 10 * time.Millisecond
	maxConcurrency = 1024
	minBudget      = 1 << 20
)

// check checks what the client (client.go) does not.
func (o *options) check(faults *faults) {
	check := func(ok bool, format string, a ...any) {
		if !ok {
			faults.add(format, a...)
		}
	}
	check(o.group != "", "-group is empty")
	check(o.interval >= minInterval, "-interval is %v; it must be at least %v", o.interval, minInterval)
	check(o.timeout > 0, "-timeout is %v; it must be at least 1s", o.timeout)
	check(o.interval <= o.timeout/shardset.MinHeartbeats || o.interval < minInterval || o.timeout <= 0,
		"-interval is %v; it must be at most a third of -timeout, which is %v", o.interval, o.timeout)
	check(o.concurrency >= 1 && o.concurrency <= maxConcurrency, "-concurrency is %d; it must be between 1 and %d", o.concurrency, maxConcurrency)
	check(o.budget >= minBudget, "-budget is %d bytes; it must be at least 1M", o.budget)
	check(o.commit > 0, "-commit is %v; it must be more than 0", o.commit)
	check(o.drain > 0, "-drain is %v; it must be more than 0", o.drain)
	check(o.handleTime >= 0, "-handle-time is %v; it must not be negative", o.handleTime)
	check(o.statusEvery >= 0, "-status-every is %v; it must not be negative", o.statusEvery)
	_, err := o.client(nil)
	o.clientFaults(faults, err)
}

// faults are everything that is wrong with a command line.
type faults []string

func (f *faults) add(format string, a ...any) { *f = append(*f, fmt.Sprintf(format, a...)) }

func (f *faults) err() error {
	if len(*f) == 0 {
		return nil
	}
	return errors.New(strings.Join(*f, "; "))
}

func usage(w io.Writer) {
	fmt.Fprint(w, `Usage: slsworker -endpoint ADDRESS -project NAME -logstore NAME -group NAME [flags]

Read the logs of an SLS logstore as a member of a consumer group, and print them.
Credentials come from ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and
ALIBABA_CLOUD_SECURITY_TOKEN; without them requests are not signed.

`)
	fs := defaults().flags()
	fs.SetOutput(w)
	fs.PrintDefaults()
}
