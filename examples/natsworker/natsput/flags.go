package main

import (
	"flag"
	"fmt"
	"io"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/cli"
	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
)

// options are the program's flags.
type options struct {
	servers cli.Servers
	stream  partitioned.Stream
	count   int
	rate    float64
	size    int
}

func defaults() *options {
	return &options{stream: partitioned.Stream{Name: "ORDERS", Partitions: 16}, rate: 10, size: 100}
}

func (o *options) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("natsput", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	o.servers.Flags(fs)
	cli.StreamFlags(fs, &o.stream)
	fs.IntVar(&o.count, "count", 0, "put this `number` of records into each partition, and end; 0 goes on until a signal")
	fs.Float64Var(&o.rate, "rate", o.rate, "put this `number` of records a second into each partition; 0 is as many as the servers take")
	fs.IntVar(&o.size, "size", o.size, "each line has this `number` of bytes")
	return fs
}

// Bounds of the flags.
const (
	maxSize = 512 << 10 // the servers take a megabyte
	maxRate = 1e6
)

// parse reads the command line and checks all of it.
func parse(args []string) (*options, error) {
	o := defaults()
	var faults cli.Faults
	if err := faults.Parse(o.flags(), args); err != nil {
		return nil, err
	}
	if o.stream.Prefix == "" {
		o.stream.Prefix = partitioned.DefaultPrefix(o.stream.Name)
	}
	check := faults.Check
	check(o.servers.URLs != "", "-servers is empty")
	o.servers.Check(&faults)
	for _, fault := range o.stream.Faults() {
		faults.Add("%s", fault)
	}
	check(o.count >= 0, "-count is %d; it must not be negative", o.count)
	check(o.rate >= 0 && o.rate <= maxRate, "-rate is %g; it must be between 0 and %g", o.rate, maxRate)
	check(o.size >= 1 && o.size <= maxSize, "-size is %d; it must be between 1 and %d", o.size, maxSize)
	return o, faults.Err()
}

func usage(w io.Writer) {
	fmt.Fprint(w, `Usage: natsput -servers URL[,URL...] [flags]

Put numbered lines into the partitions of a JetStream stream.

`)
	fs := defaults().flags()
	fs.SetOutput(w)
	fs.PrintDefaults()
}
