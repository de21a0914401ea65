// Natsput puts numbered lines into the partitions of a JetStream stream, for natsworker.
//
//	go run ./natsput -servers nats://127.0.0.1:4222 -rate 100
//
// Each partition has its own numbers, from 1 on, without a hole. They go on where the
// stream ends, so natsput can be stopped and started again; two at a time would give the
// same numbers twice. A record that the servers have not acknowledged is put again. They
// know it by its number, so that it is stored once (put.go).
//
// The end is a summary on standard error. The exit status is 0 when everything that was
// begun is stored, 1 when not, and 2 for wrong flags. SIGTERM or SIGINT ends the work
// after what was begun; a second one ends it at once, with 130 or 143.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/cli"
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
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the process
		<-signals
		cancel()
		os.Exit(status(<-signals))
	}()
	return ctx
}

func status(s os.Signal) int {
	if n, ok := s.(syscall.Signal); ok {
		return exitSignal + int(n)
	}
	return exitSignal + int(syscall.SIGINT)
}

// run is the program without its process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		usage(stdout)
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "natsput: %v (-h lists the flags)\n", err)
		return exitUsage
	}
	if err := put(ctx, o, stderr); err != nil {
		fmt.Fprintf(stderr, "natsput: %v\n", err)
		return exitFailed
	}
	return exitOK
}

// put connects and puts.
func put(ctx context.Context, o *options, stderr io.Writer) error {
	nc, err := o.servers.Connect("natsput")
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncTimeout(ackTimeout))
	if err != nil {
		return err
	}
	if err := cli.Ready(ctx, nc, js, &o.stream); err != nil {
		return err
	}
	p, err := newPutter(ctx, nc, js, o)
	if err != nil {
		return err
	}
	begin := time.Now()
	err = p.run(ctx)
	fmt.Fprintf(stderr, "summary: records=%d again=%d duration=%v\n", p.stored, p.again, time.Since(begin).Round(time.Millisecond))
	return err
}
