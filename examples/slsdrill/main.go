// Slsdrill measures what happens to the shards of real worker processes when workers
// join, stop, die, freeze and restart.
//
//	go run ./examples/slsdrill [flags] [DRILL...]
//
// It starts an embedded server (slsserver) and several processes of examples/slsworker
// on a group with a lease of 6 s, puts log groups at a steady pace (feed.go), does
// something to the workers (drills.go), and compares what they printed (ledger.go): how
// long each shard stood still, what was processed twice, what was not at all, and what
// the server refused. Without arguments it runs all drills, which takes some minutes.
//
// The exit status is 0 when nothing was lost and nothing was done by a worker that had
// no right to, whatever the times were: those depend on the machine. With -strict the
// times count too.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// options is what the drills are run with.
type options struct {
	worker   string
	shards   int
	rate     float64
	interval time.Duration
	timeout  time.Duration
	settle   time.Duration
	strict   bool
	verbose  bool
	drills   []string
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o := options{}
	fs := flag.NewFlagSet("slsdrill", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&o.worker, "worker", "", "the slsworker `program`; empty builds it")
	fs.IntVar(&o.shards, "shards", 16, "the logstore has this `number` of shards")
	fs.Float64Var(&o.rate, "rate", 20, "put this `number` of log groups a second into each shard")
	fs.DurationVar(&o.interval, "interval", 2*time.Second, "`time` between heartbeats")
	fs.DurationVar(&o.timeout, "timeout", 6*time.Second, "the group's lease `time`, whole seconds")
	fs.DurationVar(&o.settle, "settle", 6*time.Second, "watch for this `time` before and after what a drill does; less than two intervals is too short for a group to settle, and takeovers are later then")
	fs.BoolVar(&o.strict, "strict", false, "fail if a time misses its target")
	fs.BoolVar(&o.verbose, "v", false, "show what the workers say")
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	}
	if err := o.check(); err != nil {
		fmt.Fprintf(stderr, "slsdrill: %v\n", err)
		return exitUsage
	}
	o.drills = fs.Args()
	if len(o.drills) == 0 {
		o.drills = names()
	}
	for _, name := range o.drills {
		if !slices.Contains(names(), name) {
			fmt.Fprintf(stderr, "slsdrill: there is no drill %q; there are %s\n", name, strings.Join(names(), ", "))
			return exitUsage
		}
	}
	ok, err := o.run(ctx, stdout, stderr)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "slsdrill: %v\n", err)
		return exitFailed
	case !ok:
		return exitFailed
	}
	return exitOK
}

// check says everything that is wrong with the numbers.
func (o *options) check() error {
	var faults []error
	if o.shards < 4 || o.shards > 256 {
		faults = append(faults, fmt.Errorf("-shards is %d; it must be 4 to 256", o.shards))
	}
	if !(o.rate >= 0.1 && o.rate <= 10_000) {
		faults = append(faults, fmt.Errorf("-rate is %g; it must be 0.1 to 10000", o.rate))
	}
	if o.interval <= 0 || o.timeout < 3*o.interval {
		faults = append(faults, fmt.Errorf("-interval is %v; three must fit in -timeout %v", o.interval, o.timeout))
	}
	if o.settle <= 0 {
		faults = append(faults, fmt.Errorf("-settle is %v; it must be positive", o.settle))
	}
	return errors.Join(faults...)
}

// run does the drills one after the other, each with a server of its own.
func (o *options) run(ctx context.Context, stdout, stderr io.Writer) (ok bool, err error) {
	if o.worker == "" {
		dir, err := os.MkdirTemp("", "slsdrill")
		if err != nil {
			return false, err
		}
		defer os.RemoveAll(dir)
		if o.worker, err = build(ctx, dir); err != nil {
			return false, err
		}
	}
	ok = true
	for _, name := range o.drills {
		fmt.Fprintf(stdout, "%s\n", name)
		r := &report{}
		if err := o.drill(ctx, name, r, stderr); err != nil {
			return false, fmt.Errorf("%s: %w", name, err)
		}
		r.print(stdout)
		ok = ok && r.sound(o.strict)
	}
	return ok, nil
}

// build compiles the worker.
func build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, "slsworker")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", program, "github.com/rollcall-go/rollcall/examples/slsworker")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", errors.Join(fmt.Errorf("build the worker: %w", err), errors.New(string(out)))
	}
	return program, nil
}
