package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"regexp"
	"strconv"
	"time"

	"go.uber.org/zap/zapcore"

	"github.com/rollcall-go/rollcall/coordinator"
	"github.com/rollcall-go/rollcall/examples/natsworker/internal/cli"
	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
	"github.com/rollcall-go/rollcall/heartbeat/replicated"
	"github.com/rollcall-go/rollcall/processor/batch"
	"github.com/rollcall-go/rollcall/shardset"
)

// options are the program's flags.
type options struct {
	embedded, listen string
	servers          cli.Servers

	stream partitioned.Stream

	group, namespace     string
	member, memberSuffix string
	ttl, beat            time.Duration
	updateGroup          bool

	from, expired batch.Initial
	output        output
	events        bool
	handleTime    time.Duration
	batch         int
	commit        time.Duration
	drain         time.Duration

	level       zapcore.Level
	statusEvery time.Duration
}

// silent is above all levels of the library's log.
const silent = zapcore.FatalLevel

func defaults() *options {
	return &options{
		listen: "127.0.0.1:4222", stream: partitioned.Stream{Name: "ORDERS", Partitions: 16},
		group: "billing", namespace: "rollcall",
		from: batch.Earliest(), output: outputMessages, batch: 100,
		commit: time.Second, drain: coordinator.DefaultDrainTimeout, level: zapcore.WarnLevel,
	}
}

func (o *options) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("natsworker", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.StringVar(&o.embedded, "embedded", "", "run a server inside this process, with its data in this `directory`; other workers name it in -servers")
	fs.StringVar(&o.listen, "listen", o.listen, "`address` of the server of -embedded")
	o.servers.Flags(fs)

	cli.StreamFlags(fs, &o.stream)
	fs.StringVar(&o.group, "group", o.group, "`name` of the consumer group, which is made if it does not exist")
	fs.StringVar(&o.namespace, "namespace", o.namespace, "`name` that keeps groups of different applications on one cluster apart")

	fs.StringVar(&o.member, "member", "", "`name` of this worker, unique and stable (default the name of the host)")
	fs.StringVar(&o.memberSuffix, "member-suffix", "", "`text` added to the name after a hyphen: for several workers on one host")
	fs.DurationVar(&o.ttl, "ttl", 0, fmt.Sprintf("how long the group waits for a silent worker; a group that exists keeps its own `time`; see TTL.md (default %v)", replicated.DefaultTTL))
	fs.DurationVar(&o.beat, "beat", 0, "`time` between heartbeats; three must fit into the group's TTL (default a quarter of it)")
	fs.BoolVar(&o.updateGroup, "update-group", false, "give a group that exists the shards of -partitions, and the TTL of -ttl if that is set")

	fs.Func("from", "where to begin in partitions without a checkpoint: begin, end, or a `time` as RFC 3339 or Unix seconds (default begin)", cli.Into(&o.from, parseFrom))
	fs.Func("expired", "where to go on when the stream may have deleted what comes next: fail, earliest or latest; `place` fail holds the shard and reads nothing (default fail)", cli.Choice(&o.expired, places))

	fs.Func("output", "what to print: messages, batches or none (default messages)", cli.Choice(&o.output, outputs))
	fs.BoolVar(&o.events, "events", false, "print lines for heartbeats, commits, and shards that start and stop, too")
	fs.DurationVar(&o.handleTime, "handle", 0, "sleep this `time` for each message, as if it were work")
	fs.IntVar(&o.batch, "batch", o.batch, "handle at most this `number` of messages at a time")
	fs.DurationVar(&o.commit, "commit", o.commit, "commit after this `time` at the latest; at once when a shard is idle or has to go")
	fs.DurationVar(&o.drain, "drain", o.drain, "`time` to finish what is handled when a shard or the worker has to go")

	fs.Func("log-level", "write the library's log to standard error from this `level` on: off, error, warn, info or debug (default warn)", cli.Choice(&o.level, levels))
	fs.DurationVar(&o.statusEvery, "status-every", 0, "print a line about the worker to standard error at this `interval`; 0 is never")
	return fs
}

// parse reads the command line and checks all of it.
func parse(args []string) (*options, error) {
	o := defaults()
	var faults cli.Faults
	if err := faults.Parse(o.flags(), args); err != nil {
		return nil, err
	}
	o.complete(&faults)
	o.check(&faults)
	return o, faults.Err()
}

// complete fills in what depends on the host and on other flags.
func (o *options) complete(faults *cli.Faults) {
	if o.member == "" {
		host, err := os.Hostname()
		if err != nil {
			faults.Add("-member is empty, and the host has no name: %v", err)
		}
		o.member = host
	}
	if o.memberSuffix != "" {
		o.member += "-" + o.memberSuffix
	}
	if o.stream.Prefix == "" {
		o.stream.Prefix = partitioned.DefaultPrefix(o.stream.Name)
	}
}

// Bounds of the flags.
const (
	minBeat   = 10 * time.Millisecond
	maxBatch  = 10_000
	maxMember = 128
)

// keyName is what natskv takes as the name of a group and of a namespace.
var keyName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)

func (o *options) check(faults *cli.Faults) {
	check := faults.Check
	check(o.embedded == "" || o.servers.URLs == "", "-embedded and -servers are both set; a worker has one or the other")
	check(o.embedded != "" || o.servers.URLs != "", "neither -embedded nor -servers is set")
	_, port, err := net.SplitHostPort(o.listen)
	n, numErr := strconv.ParseUint(port, 10, 16)
	check(err == nil && numErr == nil && (n > 0 || port == "0"), "-listen is %q; it must be a host and a port: 127.0.0.1:4222", o.listen)
	check(o.servers.Credentials == "" || o.embedded == "", "-creds is set, and the server of -embedded asks for none")
	check(o.embedded == "" || o.stream.Replicas <= 1, "-replicas is %d, and the server of -embedded is one", o.stream.Replicas)
	o.servers.Check(faults)
	for _, fault := range o.stream.Faults() {
		faults.Add("%s", fault)
	}
	check(keyName.MatchString(o.group), "-group is %.80q; it must be 1 to 64 letters, digits, - and _", o.group)
	check(keyName.MatchString(o.namespace), "-namespace is %.80q; it must be 1 to 64 letters, digits, - and _", o.namespace)
	check(len(o.member) <= maxMember, "-member has %d bytes with its suffix; it must have at most %d", len(o.member), maxMember)
	check(o.ttl >= 0, "-ttl is %v; it must not be negative", o.ttl)
	check(o.beat >= minBeat || o.beat == 0, "-beat is %v; it must be at least %v", o.beat, minBeat)
	ttl := cmp.Or(o.ttl, replicated.DefaultTTL)
	check(o.beat <= ttl/shardset.MinHeartbeats || ttl < 0, "-beat is %v; it must be at most a third of -ttl, which is %v", o.beat, ttl)
	check(o.batch >= 1 && o.batch <= maxBatch, "-batch is %d; it must be between 1 and %d", o.batch, maxBatch)
	check(o.handleTime >= 0, "-handle is %v; it must not be negative", o.handleTime)
	check(o.commit > 0, "-commit is %v; it must be more than 0", o.commit)
	check(o.drain > 0, "-drain is %v; it must be more than 0", o.drain)
	check(o.statusEvery >= 0, "-status-every is %v; it must not be negative", o.statusEvery)
}

func usage(w io.Writer) {
	fmt.Fprint(w, `Usage: natsworker {-embedded DIR | -servers URL[,URL...]} [flags]

Read a JetStream stream that is partitioned by subject, as a member of a consumer group,
and print what is in it.

`)
	fs := defaults().flags()
	fs.SetOutput(w)
	fs.PrintDefaults()
}

// What flags with a few values take.
var (
	places  = map[string]batch.Initial{"fail": {}, "earliest": batch.Earliest(), "latest": batch.Latest()}
	outputs = map[string]output{"messages": outputMessages, "batches": outputBatches, "none": outputNone}
	levels  = map[string]zapcore.Level{
		"off": silent, "error": zapcore.ErrorLevel, "warn": zapcore.WarnLevel, "info": zapcore.InfoLevel, "debug": zapcore.DebugLevel,
	}
)

func parseFrom(s string) (batch.Initial, error) {
	switch s {
	case "begin":
		return batch.Earliest(), nil
	case "end":
		return batch.Latest(), nil
	}
	t, err := parseTime(s)
	if err != nil {
		return batch.Initial{}, errors.New("it must be begin, end, a time like 2006-01-02T15:04:05Z, or Unix seconds")
	}
	return batch.At(t), nil
}

// lastSecond is the last one of the year 9999. What is above it are milliseconds by
// mistake.
const lastSecond = 253402300799

func parseTime(s string) (time.Time, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n > 0 && n <= lastSecond {
		return time.Unix(n, 0), nil
	}
	return time.Parse(time.RFC3339, s)
}
