// Natsdrill measures what happens to the shards of real worker processes on a cluster of
// three real server processes, when workers join, leave, die and freeze, and when servers
// do.
//
//	go run ./natsdrill [-only NAME,NAME] [flags]
//
// For each drill (drills.go) it starts three servers of its own, with synchronous
// storage (node.go), a natsput that puts numbered records, and processes of natsworker.
// Then it does something to them, and compares what the workers printed (ledger.go): how
// long each shard stood still, who owned it when, where checkpoints were, and which
// numbers are missing or came twice. Without -only it runs all drills, which takes some
// ten minutes. A long one:
//
//	go run ./natsdrill -only churn -moves 100000
//	go run ./natsdrill -only churn -duration 8h
//
// The exit status is 0 when nothing was lost, nothing handled twice that was committed,
// and nothing done by a worker that had no right to, whatever the times were: those
// depend on the machine. With -strict the times count too.
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
	"strings"
	"syscall"
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

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == nodeCommand {
		return runNode(ctx, args[1:], stdout, stderr)
	}
	o, err := parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		usage(stdout)
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "natsdrill: %v (-h lists the flags)\n", err)
		return exitUsage
	}
	ok, err := o.run(ctx, stdout, stderr)
	switch {
	case err != nil:
		fmt.Fprintf(stderr, "natsdrill: %v\n", err)
		return exitFailed
	case !ok:
		return exitFailed
	}
	return exitOK
}

// run does the drills one after the other, each with servers of its own.
func (o *options) run(ctx context.Context, stdout, stderr io.Writer) (ok bool, err error) {
	dir, err := os.MkdirTemp("", "natsdrill")
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := o.programs(ctx, dir); err != nil {
		return false, err
	}
	fmt.Fprintf(stdout, "on %d processors%s\n", runtime.NumCPU(), busy())
	ok = true
	for _, d := range drills {
		if !o.chosen(d.name) {
			continue
		}
		fmt.Fprintf(stdout, "%s: %s\n", d.name, d.what)
		if err := d.possible(); err != nil {
			if len(o.only) > 0 {
				return false, fmt.Errorf("%s: %w", d.name, err)
			}
			fmt.Fprintf(stdout, "    left out: %v\n", err)
			continue
		}
		r := &report{}
		err := o.drill(ctx, d, dir, r, stderr)
		r.print(stdout)
		if err != nil {
			return false, fmt.Errorf("%s: %w", d.name, err)
		}
		ok = ok && r.sound(o.strict)
	}
	return ok, nil
}

// programs builds the programs that were not given.
func (o *options) programs(ctx context.Context, dir string) error {
	const module = "github.com/rollcall-go/rollcall/examples/natsworker"
	for _, p := range []struct {
		path *string
		name string
		from string
	}{{&o.worker, "natsworker", module}, {&o.put, "natsput", module + "/natsput"}} {
		if *p.path != "" {
			continue
		}
		*p.path = filepath.Join(dir, p.name)
		if runtime.GOOS == "windows" {
			*p.path += ".exe"
		}
		cmd := exec.CommandContext(ctx, "go", "build", "-o", *p.path, p.from)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", p.name, err, out)
		}
	}
	return nil
}

// busy says how busy the machine is before the drills, where the system tells: on one that
// is busy with other things the times say little.
func busy() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return ", the load of the last minute is " + strings.Fields(string(text) + " ?")[0]
}
