// Package cli is what the command lines of this folder's programs have in common.
package cli

import (
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/rollcall-go/rollcall/examples/natsworker/internal/partitioned"
	"github.com/rollcall-go/rollcall/heartbeat/replicated/natskv"
)

// Faults are everything that is wrong with a command line.
type Faults []string

// Add adds one.
func (f *Faults) Add(format string, a ...any) { *f = append(*f, fmt.Sprintf(format, a...)) }

// Check adds one unless ok.
func (f *Faults) Check(ok bool, format string, a ...any) {
	if !ok {
		f.Add(format, a...)
	}
}

// Err returns one error for all of them, or nil.
func (f *Faults) Err() error {
	if len(*f) == 0 {
		return nil
	}
	return errors.New(strings.Join(*f, "; "))
}

// Parse reads a command line, all of it whatever is wrong with parts of it. It returns
// flag.ErrHelp if help was asked for, and nil otherwise.
func (f *Faults) Parse(fs *flag.FlagSet, args []string) error {
	for len(args) > 0 {
		err := fs.Parse(args)
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		rest := fs.Args() // after an error, what comes behind it
		if err != nil {
			f.Add("%v", err)
		}
		if len(rest) > 0 && (err == nil || len(rest) == len(args)) {
			if err == nil {
				f.Add("%q is no flag", rest[0])
			}
			rest = rest[1:]
		}
		args = rest
	}
	return nil
}

// Choice sets v to one of a few values.
func Choice[T any](v *T, values map[string]T) func(string) error {
	return func(s string) error {
		got, ok := values[s]
		if !ok {
			names := make([]string, 0, len(values))
			for name := range values {
				names = append(names, name)
			}
			slices.Sort(names)
			return fmt.Errorf("it must be one of %s", strings.Join(names, ", "))
		}
		*v = got
		return nil
	}
}

// Into sets v to what parse returns.
func Into[T any](v *T, parse func(string) (T, error)) func(string) error {
	return func(s string) error {
		got, err := parse(s)
		if err == nil {
			*v = got
		}
		return err
	}
}

// StreamFlags are the flags that say which stream.
func StreamFlags(fs *flag.FlagSet, s *partitioned.Stream) {
	fs.StringVar(&s.Name, "stream", s.Name, "`name` of the stream, which is made if it does not exist")
	fs.StringVar(&s.Prefix, "prefix", s.Prefix, "partition 7 is the `subject` PREFIX.7 (default the stream's name in lower case)")
	fs.IntVar(&s.Partitions, "partitions", s.Partitions, "the stream has this `number` of partitions")
	fs.IntVar(&s.Replicas, "replicas", s.Replicas, "this `number` of servers keep what is made, 1, 3 or 5; 0 is 3 in a cluster, and 1 otherwise")
}

// Servers is how to reach the servers.
type Servers struct {
	URLs        string // with commas between them
	Credentials string // the file
}

// Flags are the flags that set it.
func (s *Servers) Flags(fs *flag.FlagSet) {
	fs.StringVar(&s.URLs, "servers", "", "`URLs` of the servers, with commas between them: nats://10.0.0.1:4222,nats://10.0.0.2:4222")
	fs.StringVar(&s.Credentials, "creds", "", "`file` with the credentials")
}

// Check adds what is wrong. It does not repeat a URL, which may hold a password.
func (s *Servers) Check(faults *Faults) {
	if s.URLs != "" && !validURLs(s.URLs) {
		faults.Add("-servers must be URLs like nats://127.0.0.1:4222, with commas between them")
	}
	if s.Credentials == "" {
		return
	}
	if _, err := os.Stat(s.Credentials); err != nil {
		faults.Add("-creds: %v", err)
	}
}

func validURLs(s string) bool {
	for part := range strings.SplitSeq(s, ",") {
		u, err := url.Parse(part)
		if err != nil || u.Host == "" || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
			return false
		}
	}
	return true
}

// Connect connects under a name, with the options that a group needs: see natskv.Options.
func (s *Servers) Connect(name string) (*nats.Conn, error) {
	options := append(natskv.Options(), nats.Name(name))
	if s.Credentials != "" {
		options = append(options, nats.UserCredentials(s.Credentials))
	}
	nc, err := nats.Connect(s.URLs, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to the servers: %w", err)
	}
	return nc, nil
}
