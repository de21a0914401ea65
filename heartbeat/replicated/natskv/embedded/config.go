package embedded

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"
)

// InProcessOnly is the Config.Listen of a server that opens no port for clients: only
// Server.Connect reaches it.
const InProcessOnly = "in-process only"

const (
	defaultName   = "rollcall"
	defaultListen = "127.0.0.1:0"
)

// Config says what is not as usual about a server. The zero value is a server that runs
// alone, and listens on a free port of the loopback.
type Config struct {
	// Name is the server's name: unique in its cluster, and the same after a restart.
	// Empty means "rollcall"; a member of a cluster needs a name of its own.
	Name string
	// Listen is the "host:port" for clients, or InProcessOnly. Port 0 is a free one.
	// Empty means "127.0.0.1:0". On any but a loopback address clients have to
	// authenticate: Adjust says how.
	Listen string
	// Cluster makes the server a member of a cluster. Zero: it runs alone.
	Cluster Cluster
	// Logger takes the server's own log: its warnings and errors as they are, its
	// notices and all else at the debug level. Nil means silence.
	Logger *zap.Logger
	// Adjust, if set, has the last word on the server's options before it starts:
	// users, TLS, limits. What this Config sets is set already.
	Adjust func(*server.Options)
}

// Cluster is how a server finds the other members of its cluster.
type Cluster struct {
	// Name is the cluster's name, the same for all. Required.
	Name string
	// Listen is the "host:port" for the other members. Required, with a port: they
	// have to know it. On any but a loopback address they have to authenticate:
	// Config.Adjust sets a user or TLS in Options.Cluster.
	Listen string
	// Routes are where the members listen for each other, nats://host:port, with
	// user:password@ if need be. At least one; the server's own may be among them.
	Routes []string
}

func (c Cluster) set() bool { return c.Name != "" || c.Listen != "" || len(c.Routes) > 0 }

// options returns the server's options, or one error that names every faulty field.
func (c Config) options(dir string) (*server.Options, error) {
	o := &server.Options{
		ServerName: c.Name,
		JetStream:  true, StoreDir: dir, SyncAlways: true,
		NoSigs: true, // signals are the program's affair
		NoLog:  c.Logger == nil,
	}
	faults := []error{c.clients(o)}
	if dir == "" {
		faults = append(faults, errors.New("dir is empty"))
	}
	if c.Cluster.set() {
		faults = append(faults, c.members(o))
	} else if c.Name == "" {
		o.ServerName = defaultName
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	if c.Adjust != nil {
		c.Adjust(o)
	}
	return o, exposed(o)
}

// clients sets where clients connect.
func (c Config) clients(o *server.Options) (err error) {
	if c.Listen == InProcessOnly {
		o.DontListen = true
		return nil
	}
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	if o.Host, o.Port, err = split(c.Listen); err != nil {
		return fmt.Errorf("the field Listen: %w", err)
	}
	return nil
}

// members sets where the cluster's other members connect, and where they are.
func (c Config) members(o *server.Options) (err error) {
	var faults []error
	if c.Name == "" {
		faults = append(faults, errors.New("the field Name is empty; a member of a cluster needs one of its own"))
	}
	if o.Cluster.Name = c.Cluster.Name; o.Cluster.Name == "" {
		faults = append(faults, errors.New("the field Cluster.Name is empty"))
	}
	if o.Cluster.Host, o.Cluster.Port, err = split(c.Cluster.Listen); err != nil {
		faults = append(faults, fmt.Errorf("the field Cluster.Listen: %w", err))
	} else if o.Cluster.Port < 0 {
		faults = append(faults, errors.New("the field Cluster.Listen has port 0; the other members have to know it"))
	}
	if len(c.Cluster.Routes) == 0 {
		faults = append(faults, errors.New("the field Cluster.Routes is empty; alone, a server is no cluster"))
	}
	for _, r := range c.Cluster.Routes {
		u, err := url.Parse(r)
		if err != nil || u.Hostname() == "" || u.Port() == "" {
			// Without the error, which quotes the password.
			faults = append(faults, errors.New("the field Cluster.Routes has one that is not of the form nats://host:port"))
			continue
		}
		o.Routes = append(o.Routes, u)
	}
	return errors.Join(faults...)
}

// split takes a host:port apart. A free port is -1, as the server writes it.
func split(address string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	if port, err = strconv.Atoi(p); err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("%q has no port from 0 to 65535", address)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// free finds out early whether the addresses can be had: a server that cannot have them
// says so in its log only.
func (c Config) free() error {
	return errors.Join(free("Listen", c.Listen), free("Cluster.Listen", c.Cluster.Listen))
}

func free(field, address string) error {
	if address == "" || address == InProcessOnly {
		return nil
	}
	l, err := net.Listen("tcp", address)
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		return fmt.Errorf("the field %s: %w", field, err)
	}
	return nil
}

// exposed refuses a server that others than this machine could use without a word:
// whoever reaches it owns the group, and its checkpoints.
func exposed(o *server.Options) error {
	var faults []error
	anybody := o.Username == "" && o.Authorization == "" && len(o.Users) == 0 && len(o.Nkeys) == 0 &&
		len(o.TrustedKeys) == 0 && len(o.TrustedOperators) == 0 && o.CustomClientAuthentication == nil &&
		!o.TLSVerify && o.AuthCallout == nil
	if !o.DontListen && !loopback(o.Host) && anybody {
		faults = append(faults, errors.New("the field Listen is open to the network; let Adjust set users or TLSVerify"))
	}
	c := &o.Cluster
	verified := c.TLSConfig != nil && c.TLSConfig.ClientAuth > 0
	if c.Port != 0 && !loopback(c.Host) && c.Username == "" && !verified && o.CustomRouterAuthentication == nil {
		faults = append(faults, errors.New(
			"the field Cluster.Listen is open to the network; let Adjust set a user or TLS in Options.Cluster"))
	}
	return errors.Join(faults...)
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
