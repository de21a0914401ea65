// Slsput puts the lines of files, or of standard input, into a logstore of Simple Log
// Service, or of the server in examples/slsserver.
//
//	go run ./examples/slsput -endpoint http://127.0.0.1:10010 -project demo -logstore app [flags] [FILE...]
//
// Each line that is not empty becomes a log. Without -json the line is the value of one
// content; with it, the line is an object whose members become contents (record.go). Logs
// are sent in groups (batch.go), one group at a time and in the order of their lines. A
// group that is refused because the service is busy, or gets no answer, is sent again
// (put.go), so it may be stored twice.
//
// With -hash the shard depends on the line or on a field: what has the same value goes to
// the same shard, and keeps its order there.
//
// Credentials are those of ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and
// ALIBABA_CLOUD_SECURITY_TOKEN; without them requests are not signed.
//
// The end is a summary on standard error. The exit status is 0 when every line was
// stored, 1 when not, 2 for a wrong flag or an unreadable file, and 130 or 143 when a
// signal ended the work early.
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
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitSignal = 128 // and the signal's number
)

func main() {
	os.Exit(run(untilSignal(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// untilSignal returns a context that ends with the first signal. The second one ends
// the process.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the process
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

// run is the program without its process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		o.usage(stdout)
		return exitOK
	}
	if err != nil {
		fmt.Fprintf(stderr, "slsput: %v (-h lists the flags)\n", err)
		return exitUsage
	}
	client, err := o.client()
	if err != nil {
		fmt.Fprintf(stderr, "slsput: %v (-h lists the flags)\n", err)
		return exitUsage
	}
	defer func() { _ = client.Close() }() // it can fail for a provider of credentials that hangs
	in, err := openInput(o.files, stdin, o.repeat)
	if err != nil {
		fmt.Fprintf(stderr, "slsput: %v\n", err)
		return exitUsage
	}
	defer in.close()
	began := time.Now()
	p := &putter{o: o, client: client}
	err = p.run(ctx, in)
	p.summary(stderr, time.Since(began))
	var ended signalError
	switch {
	case err == nil:
		return exitOK
	case errors.As(context.Cause(ctx), &ended):
		fmt.Fprintf(stderr, "slsput: ended by a signal: %v\n", ended)
		return ended.status()
	}
	fmt.Fprintf(stderr, "slsput: %v\n", err)
	return exitFailed
}
