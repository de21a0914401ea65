// Slsworker is a worker for logs of Alibaba Cloud Simple Log Service (SLS): a member of a
// consumer group, which shares the shards of a logstore with the group's other members
// and prints, or just reads, what is in them. It works with the cloud and with
// examples/slsserver.
//
//	go run ./examples/slsworker -endpoint http://127.0.0.1:10010 -project demo -logstore app -group billing
//
// Start more of them, with other names, and each gets its part of the shards; on one host
// -member-suffix makes the names different: a worker does not start under a name that
// another one has on its host. Credentials come from the environment:
// ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for temporary ones,
// ALIBABA_CLOUD_SECURITY_TOKEN. Without them requests are not signed.
//
// # Output
//
// With -output logs, the default, each log is a line of JSON on standard output:
//
//	{"time":"2026-01-02T15:04:05Z","shard":3,"cursor":"MTcx...","topic":"t","source":"10.0.0.1",
//	 "tags":{"__path__":"/var/log/x"},"contents":{"level":"warn","text":"disk full"}}
//
// Times are in UTC. Reading at the cursor finds the log again: it is that of the log's
// group; with -query that of the page, because the service tells no other. The contents
// are in their order, and a key that the log has twice is there twice. Logs hold bytes,
// JSON holds text: a value that is not UTF-8 becomes an object, {"base64":"..."}, which no
// other value is, and in keys, topics and sources the bytes that are not become U+FFFD.
//
// With -output batches each batch is a line, with the service's own cursors, and the sum
// of the lengths of all values, which are read. With -output none all values are read and
// nothing is printed.
//
//	{"at":"2026-01-02T15:04:05.123456789Z","member":"w1","shard":3,"epoch":1767366245123456,
//	 "cursor":"MTcx...","next":"MTcx...","groups":12,"logs":48,"bytes":51234,"wait_ms_max":88.1}
//
// Lines are whole: those of different shards never mix, and the line of a batch is one
// write. A batch is acknowledged when all of it was written. So a worker that dies loses
// nothing, but the next owner of a shard may print again what was printed last.
//
// If logs have a content put_ns, the Unix time in nanoseconds at which they were put
// (examples/slsput writes it), the wait from there to here is measured.
//
// # End
//
// SIGTERM or SIGINT has the worker finish what it handles, commit and go, within -drain;
// a second one ends it at once. With -until the worker goes when all shards of the group
// are done; the time is the service's. On the way out it prints a summary on standard error.
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
	var w *worker
	if err == nil {
		w, err = newWorker(o, stdout, stderr)
	}
	if err != nil {
		fmt.Fprintf(stderr, "slsworker: %v (-h lists the flags)\n", err)
		return exitUsage
	}
	if err := w.run(ctx, stderr); err != nil {
		fmt.Fprintf(stderr, "slsworker: %v\n", err)
		return exitFailed
	}
	return exitOK
}
