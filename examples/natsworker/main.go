// Natsworker is a worker for a NATS JetStream stream that is partitioned by subject: a
// member of a consumer group, which shares the partitions with the group's other members
// and prints what is in them. The group lives on the same servers. There is nothing else
// to run.
//
// On one machine, the first worker can be the server too:
//
//	go run . -embedded ./orders-data -member w1
//	go run . -servers nats://127.0.0.1:4222 -member w2
//	go run ./natsput -servers nats://127.0.0.1:4222 -rate 100
//
// Start more of them, with other names, and each gets its part of the partitions. The
// README beside this file has the same with a cluster of three servers, and TTL.md says
// how long a lease should be.
//
// # Output
//
// With -output messages, the default, each message is a line of JSON on standard output,
// and its data a text, in which what is not UTF-8 becomes U+FFFD:
//
//	{"time":"2026-01-02T15:04:05Z","partition":3,"sequence":1234,"number":17,"data":"a line"}
//
// With -output batches each batch is a line, with when its handling began, and when it was
// to be printed. If the messages are records that natsput has put, it has the numbers of
// the first and of the last one, how often a number did not follow the one before
// (breaks), and the longest time since a record was put:
//
//	{"began":"2026-01-02T15:04:05.1Z","at":"2026-01-02T15:04:05.123456789Z","member":"w1",
//	 "shard":3,"epoch":1,"from":"1200","next":"1235","messages":8,"bytes":4096,
//	 "first":10,"last":17,"breaks":0,"wait_ms_max":8.1}
//
// With -output none nothing is printed. With -events there are lines for heartbeats,
// commits, and shards that start and stop, too (events.go).
//
// Lines are whole, and the lines of a batch are one write. A batch is acknowledged when
// all of it was written. So a worker that dies loses nothing, but the next owner of a
// shard may print again what was printed last.
//
// # End
//
// SIGTERM or SIGINT has the worker finish what it handles, commit and leave, within
// -drain; a second one ends it at once. A worker that is the server too takes the group
// with it. On the way out it prints a summary on standard error.
//
// The exit status is 0 when it has ended as it should, 1 after an error (standard output
// that nobody reads is one), 2 for wrong flags, 130 or 143 after a second signal.
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
)

// Exit statuses.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
	exitSignal = 128 // and the signal's number
)

func main() {
	signal.Ignore(syscall.SIGPIPE) // writing says so, and the worker can drain
	os.Exit(run(untilSignal(), os.Args[1:], os.Stdout, os.Stderr))
}

// untilSignal returns a context that ends with the first signal. The second one ends
// the process.
func untilSignal() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() { // ends with the process
		cancel(errors.New((<-signals).String()))
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
		fmt.Fprintf(stderr, "natsworker: %v (-h lists the flags)\n", err)
		return exitUsage
	}
	if err := work(ctx, o, stdout, stderr); err != nil {
		fmt.Fprintf(stderr, "natsworker: %v\n", err)
		return exitFailed
	}
	return exitOK
}
