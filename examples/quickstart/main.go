// Quickstart is Rollcall in one process: a few workers share the lines of real log
// files on the embedded group service, while workers join, leave and crash.
//
//	go run ./examples/quickstart [flags] [FILE...]
//
// Without files it processes a generated access log. The lines are divided into twelve
// shards (shards.go), and three workers start. Each worker's coordinator runs one
// processor for each shard that the group assigns to it. A processor reads lines
// (feed.go), handles them, and commits its position (worker.go). Meanwhile a fourth
// worker joins, one leaves, and one is killed (script.go). A table shows the owner and
// the position of each shard (table.go). If standard output is not a terminal, the
// program prints one line a second instead.
//
// At the end the program prints a report (report.go). It counts the lines by status or
// level, and checks with independent code that every line was processed (verify.go). It
// also reports how many lines were processed twice, and how long each shard paused when
// it moved.
//
// The exit status is 0 when every line was processed, 1 when not, 2 for a wrong flag
// or an unreadable file, and 130 or 143 when a signal ended the work early.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitSignal = 128 // and the signal's number
)

func main() {
	os.Exit(run(untilSignal(), os.Args[1:], os.Stdout, os.Stderr))
}

// untilSignal returns a context that ends with the first signal. The second one ends
// the process.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		cancel(signalError{<-signals})
		os.Exit(signalError{<-signals}.status())
	}()
	return ctx
}

// signalError is why the work ended early.
type signalError struct{ os.Signal }

func (e signalError) Error() string { return e.String() }

func (e signalError) status() int {
	if n, ok := e.Signal.(syscall.Signal); ok {
		return exitSignal + int(n)
	}
	return exitSignal + int(syscall.SIGINT)
}

// run runs the program and returns its exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := defaults()
	err := o.parse(args)
	if errors.Is(err, flag.ErrHelp) {
		o.usage(stdout)
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "quickstart: %v (-h lists the flags)\n", err)
		return exitUsage
	}
	return o.run(ctx, stdout, stderr)
}

// options holds the settings of a run. The first fields are flags; only tests change
// the others.
type options struct {
	duration time.Duration
	shards   int
	workers  int
	logLevel string
	files    []string

	ttl         time.Duration // of the group: how long a silent worker keeps its shards
	interval    time.Duration // between heartbeats; at least three fit into the TTL
	commitEvery time.Duration
	commitLines int
	lose        func(s *span, line int) bool // plants a bug: the line is skipped
}

func defaults() options {
	return options{
		duration: 12 * time.Second, shards: 12, workers: 3, logLevel: "off",
		ttl: 2 * time.Second, interval: 500 * time.Millisecond,
		commitEvery: 200 * time.Millisecond, commitLines: 1000,
	}
}

// Bounds of the flags. At least two workers are necessary: one leaves, one is killed,
// and a third, which has joined, remains.
const (
	maxShards   = 1024
	minWorkers  = 2
	maxWorkers  = 32
	maxDuration = 24 * time.Hour
)

func (o *options) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.DurationVar(&o.duration, "duration", o.duration, "spread the work over this `time`; 0 is as fast as possible")
	fs.IntVar(&o.shards, "shards", o.shards, "divide the lines into about this `number` of shards in all")
	fs.IntVar(&o.workers, "workers", o.workers, "start with this `number` of workers; one more joins later")
	fs.StringVar(&o.logLevel, "log-level", o.logLevel, "write the library's log to standard error from this `level` on: off, error, warn, info or debug")
	return fs
}

// parse reads the command line and checks all of it.
func (o *options) parse(args []string) error {
	fs := o.flags()
	if err := fs.Parse(args); err != nil {
		return err
	}
	o.files = fs.Args()
	var faults []string
	check := func(ok bool, format string, a ...any) {
		if !ok {
			faults = append(faults, fmt.Sprintf(format, a...))
		}
	}
	check(o.duration >= 0 && o.duration <= maxDuration, "-duration is %v; it must be between 0 and %v", o.duration, maxDuration)
	check(o.shards >= 1 && o.shards <= maxShards, "-shards is %d; it must be between 1 and %d", o.shards, maxShards)
	check(o.workers >= minWorkers && o.workers <= maxWorkers, "-workers is %d; it must be between %d and %d", o.workers, minWorkers, maxWorkers)
	_, err := o.logger(io.Discard)
	check(err == nil, "-log-level is %q; it must be off, error, warn, info or debug", o.logLevel)
	if len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	return nil
}

func (o *options) usage(w io.Writer) {
	fmt.Fprint(w, `Usage: quickstart [flags] [FILE...]

Process log files with a group of workers that share their lines, while workers
join, leave and die. Without files a generated access log is processed.

`)
	fs := o.flags()
	fs.SetOutput(w)
	fs.PrintDefaults()
}

// logger returns the library's logger; nil means silence.
func (o *options) logger(w io.Writer) (*zap.Logger, error) {
	if o.logLevel == "off" {
		return nil, nil
	}
	level, err := zapcore.ParseLevel(o.logLevel)
	if err != nil || level > zapcore.ErrorLevel || o.logLevel == "" {
		return nil, fmt.Errorf("no such level: %q", o.logLevel)
	}
	encoder := zapcore.NewConsoleEncoder(zap.NewDevelopmentEncoderConfig())
	return zap.New(zapcore.NewCore(encoder, zapcore.Lock(zapcore.AddSync(w)), level)), nil
}
