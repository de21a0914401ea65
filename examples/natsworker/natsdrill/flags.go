package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/cli"
)

// options is what the drills are run with.
type options struct {
	worker, put string
	only        []string
	partitions  int
	rate        float64
	ttl         time.Duration
	settle      time.Duration
	rounds      int
	moves       int
	duration    time.Duration
	members     int
	clients     int
	shards      int
	flush       time.Duration
	strict      bool
	verbose     bool
}

func defaults() *options {
	return &options{
		partitions: 16, rate: 40, ttl: 15 * time.Second, settle: 3 * time.Second, rounds: 30, moves: 2000,
		members: 1000, clients: 300, shards: 10_000,
	}
}

func (o *options) flags() *flag.FlagSet {
	fs := flag.NewFlagSet("natsdrill", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.StringVar(&o.worker, "worker", "", "the natsworker `program`; empty builds it")
	fs.StringVar(&o.put, "put", "", "the natsput `program`; empty builds it")
	fs.Func("only", "run these drills: `names` with commas between them ("+strings.Join(names(), ", ")+")", cli.Into(&o.only, parseNames))
	fs.IntVar(&o.partitions, "partitions", o.partitions, "the stream has this `number` of partitions")
	fs.Float64Var(&o.rate, "rate", o.rate, "put this `number` of records a second into each partition")
	fs.DurationVar(&o.ttl, "ttl", o.ttl, "the group's lease `time`")
	fs.DurationVar(&o.settle, "settle", o.settle, "watch for this `time` before and after what a drill does")
	fs.IntVar(&o.rounds, "rounds", o.rounds, "handover: a worker joins and leaves this `number` of times")
	fs.IntVar(&o.moves, "moves", o.moves, "churn: go on for this `number` of moves")
	fs.DurationVar(&o.duration, "duration", 0, "churn: go on for this `time` instead")
	fs.IntVar(&o.members, "members", o.members, "scale: this `number` of members, and a tenth more join later")
	fs.IntVar(&o.clients, "clients", o.clients, "connections: this `number` of clients with a connection and a member each")
	fs.IntVar(&o.shards, "shards", o.shards, "scale: this `number` of shards")
	fs.DurationVar(&o.flush, "flush", 0, "every flush of a server's disk takes this `time` longer, by strace")
	fs.BoolVar(&o.strict, "strict", false, "fail if a time misses its target")
	fs.BoolVar(&o.verbose, "v", false, "show what workers and servers say")
	return fs
}

func parseNames(s string) ([]string, error) {
	only := strings.Split(s, ",")
	for _, name := range only {
		if !slices.Contains(names(), name) {
			return nil, fmt.Errorf("there is no drill %q; there are %s", name, strings.Join(names(), ", "))
		}
	}
	return only, nil
}

func (o *options) chosen(name string) bool { return len(o.only) == 0 || slices.Contains(o.only, name) }

// parse reads the command line and checks all of it.
func parse(args []string) (*options, error) {
	o := defaults()
	var faults cli.Faults
	if err := faults.Parse(o.flags(), args); err != nil {
		return nil, err
	}
	check := faults.Check
	check(o.partitions >= 4 && o.partitions <= 2048, "-partitions is %d; it must be 4 to 2048", o.partitions)
	check(o.rate >= 0.1 && o.rate <= 10_000, "-rate is %g; it must be 0.1 to 10000", o.rate)
	check(o.ttl >= time.Second, "-ttl is %v; it must be at least 1s", o.ttl)
	check(o.settle > 0, "-settle is %v; it must be positive", o.settle)
	check(o.rounds >= 1, "-rounds is %d; it must be positive", o.rounds)
	check(o.moves >= 1, "-moves is %d; it must be positive", o.moves)
	check(o.duration >= 0, "-duration is %v; it must not be negative", o.duration)
	check(o.members >= sharedClients, "-members is %d; it must be at least %d", o.members, sharedClients)
	check(o.clients >= 1, "-clients is %d; it must be positive", o.clients)
	check(o.shards >= o.members, "-shards is %d; it must be at least -members, which is %d", o.shards, o.members)
	check(o.flush >= 0, "-flush is %v; it must not be negative", o.flush)
	if o.flush > 0 {
		err := slowable()
		check(err == nil, "-flush is %v: %v", o.flush, err)
	}
	return o, faults.Err()
}

func usage(w io.Writer) {
	fmt.Fprint(w, `Usage: natsdrill [flags]

Measure what happens to the shards of worker processes on a cluster of three servers.

`)
	for _, d := range drills {
		fmt.Fprintf(w, "  %-13s %s\n", d.name, d.what)
	}
	fmt.Fprintln(w)
	fs := defaults().flags()
	fs.SetOutput(w)
	fs.PrintDefaults()
}
