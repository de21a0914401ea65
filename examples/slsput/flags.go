package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/processor/slslog"
	"github.com/rollcall-go/rollcall/shardset"
)

// options are the program's flags.
type options struct {
	endpoint, project, logstore string
	signature                   sls.Signature
	region                      string
	insecure                    bool

	topic, source string
	key           string
	json          bool
	stamp         bool
	hash          hash

	batchBytes, batchLines int
	linger                 time.Duration
	rate                   float64
	repeat                 int
	compression            sls.Compression
	retry                  time.Duration

	files []string
}

// hash says what the shard of a log depends on.
type hash uint8

const (
	hashNone hash = iota
	hashLine
	hashField
)

// maxBatch keeps a group well below what the service takes, the last log included.
const maxBatch = slslog.MaxGroupBytes / 2

func (o *options) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("slsput", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.StringVar(&o.endpoint, "endpoint", "", "`address` of the service: cn-hangzhou.log.aliyuncs.com, or http://127.0.0.1:10010")
	fs.StringVar(&o.project, "project", "", "`name` of the project; empty if the endpoint names it")
	fs.StringVar(&o.logstore, "logstore", "", "`name` of the logstore")
	fs.Func("signature", "`version` of the signature: v1 or v4 (default v1, and v4 in the regions that insist on it)",
		choice(&o.signature, map[string]sls.Signature{"v1": sls.V1, "v4": sls.V4}))
	fs.StringVar(&o.region, "region", "", "the service's `region`, which v4 needs: cn-hangzhou (default the one in -endpoint)")
	fs.BoolVar(&o.insecure, "insecure", false, "allow plain http to other hosts than this one")

	fs.StringVar(&o.topic, "topic", "", "`topic` of the logs")
	fs.StringVar(&o.source, "source", "", "`source` of the logs: the address of a machine, mostly")
	fs.StringVar(&o.key, "key", "content", "`field` that a line becomes the value of; with -json, the one that -hash field takes")
	fs.BoolVar(&o.json, "json", false, "each line is a JSON object, whose members become contents; __time__, __topic__, __source__ and __tag__:NAME are what they say")
	fs.BoolVar(&o.stamp, "stamp", false, "add a content put_ns with the time of the put, in Unix nanoseconds")
	fs.Func("hash", "`what` decides the shard: none, line, or field, which is the value of -key (default none)",
		choice(&o.hash, map[string]hash{"none": hashNone, "line": hashLine, "field": hashField}))

	o.batchBytes = 512 << 10
	fs.Func("batch-bytes", "send a group when it has about this many `bytes`: 100000, 512K, 1M (default 512K)", func(s string) (err error) {
		o.batchBytes, err = parseBytes(s)
		return err
	})
	fs.IntVar(&o.batchLines, "batch-lines", 1000, "send a group when it has this `number` of lines")
	fs.DurationVar(&o.linger, "linger", 200*time.Millisecond, "send a group after this `time` at the latest; 0 sends each line at once")
	fs.Float64Var(&o.rate, "rate", 0, "this `number` of lines a second; 0 is as fast as possible")
	fs.IntVar(&o.repeat, "repeat", 1, "put the files this `number` of times; 0 is until a signal")
	fs.Func("compression", "`kind` of compression: lz4, zstd or none (default lz4)",
		choice(&o.compression, map[string]sls.Compression{"lz4": sls.LZ4, "zstd": sls.Zstd, "none": sls.None}))
	fs.DurationVar(&o.retry, "retry", time.Minute, "go on trying for this `time` to put one group")
	return fs
}

func choice[T any](to *T, values map[string]T) func(string) error {
	return func(s string) error {
		v, ok := values[s]
		if !ok {
			return errors.New("no such value")
		}
		*to = v
		return nil
	}
}

func parseBytes(s string) (int, error) {
	unit := 1
	for suffix, u := range map[string]int{"K": 1 << 10, "M": 1 << 20} {
		if digits, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = digits, u
		}
	}
	n, err := strconv.Atoi(s)
	if err != nil || n > math.MaxInt32/unit {
		return 0, errors.New("not a number of bytes")
	}
	return n * unit, nil
}

// parse reads the command line and checks all of it but what the client checks.
func parse(args []string) (*options, error) {
	o := &options{}
	fs := o.flags()
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	o.files = fs.Args()
	var faults []string
	check := func(ok bool, format string, a ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, a...))
		}
	}
	check(validKey(o.key), "-key is %q; it must have 1 to %d bytes", o.key, slslog.MaxKeyBytes)
	check(o.batchBytes >= 1 && o.batchBytes <= maxBatch, "-batch-bytes is %d; it must be between 1 and %d", o.batchBytes, maxBatch)
	check(o.batchLines >= 1, "-batch-lines is %d; it must be at least 1", o.batchLines)
	check(o.linger >= 0, "-linger is %v; it must not be negative", o.linger)
	check(o.rate >= 0 && o.rate <= 1e9, "-rate is %v; it must be between 0 and 1e9", o.rate)
	check(o.repeat >= 0, "-repeat is %d; it must not be negative", o.repeat)
	check(o.repeat == 1 || len(o.files) > 0, "-repeat needs files: standard input comes once")
	check(o.retry > 0, "-retry is %v; it must be more than 0", o.retry)
	check(len(o.topic) <= maxName && len(o.source) <= maxName, "-topic and -source must have at most %d bytes", maxName)
	if len(faults) > 0 {
		return o, errors.New(strings.Join(faults, "; "))
	}
	return o, nil
}

// maxName bounds topics and sources, so that a group is as large as its logs.
const maxName = 1 << 10

func validKey(key string) bool { return key != "" && len(key) <= slslog.MaxKeyBytes }

func (o *options) usage(w io.Writer) {
	fmt.Fprint(w, `Usage: slsput -endpoint ADDRESS -project NAME -logstore NAME [flags] [FILE...]

Put the lines of files, or of standard input, into a logstore.

`)
	fs := o.flags()
	fs.SetOutput(w)
	fs.PrintDefaults()
}

// client makes the client of the service. It does no I/O.
func (o *options) client() (*sls.Client, error) {
	c, err := sls.New(sls.Config{
		Endpoint: o.endpoint, Project: o.project, Logstore: o.logstore, Credentials: credentials(),
		Signature: o.signature, Region: o.region, AllowInsecure: o.insecure,
	})
	var bad *shardset.ConfigError
	if !errors.As(err, &bad) {
		return c, err
	}
	var faults []string
	for _, f := range bad.Faults {
		name := "-" + strings.ToLower(f.Field)
		if f.Field == "Credentials" {
			name = "the credentials in the environment"
		}
		faults = append(faults, name+" "+f.Reason)
	}
	return nil, errors.New(strings.Join(faults, "; "))
}

// credentials returns those of the environment, and nil if it has none.
func credentials() sls.CredentialsProvider {
	for _, name := range []string{"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN"} {
		if os.Getenv(name) != "" {
			return sls.FromEnv() // which sees whether they are complete
		}
	}
	return nil
}
