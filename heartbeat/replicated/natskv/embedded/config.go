package embedded

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/nats-io/nats-server/v2/server"
	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/shardset"
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

// options returns the server's options, or a *shardset.ConfigError that lists all faults.
func (c Config) options(dir string) (*server.Options, error) {
	o := &server.Options{
		ServerName: c.Name,
		JetStream:  true, StoreDir: dir, SyncAlways: true,
		NoSigs: true, // signals are for the program
		NoLog:  c.Logger == nil,
	}
	faults := &shardset.ConfigError{Config: "embedded.Config"}
	if dir == "" {
		faults.Add("dir", "is empty")
	}
	c.setListen(o, faults)
	if c.Cluster.set() {
		c.setCluster(o, faults)
	} else if c.Name == "" {
		o.ServerName = defaultName
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	if c.Adjust != nil {
		c.Adjust(o)
	}
	checkExposed(o, faults)
	return o, faults.Err()
}

// setListen sets the address for clients.
func (c Config) setListen(o *server.Options, faults *shardset.ConfigError) {
	if c.Listen == InProcessOnly {
		o.DontListen = true
		return
	}
	var err error
	if o.Host, o.Port, err = split(cmp.Or(c.Listen, defaultListen)); err != nil {
		faults.Add("Listen", "%v", err)
	}
}

// setCluster sets the address for the cluster's other members, and theirs.
func (c Config) setCluster(o *server.Options, faults *shardset.ConfigError) {
	if c.Name == "" {
		faults.Add("Name", "is empty; a member of a cluster needs a name of its own")
	}
	if o.Cluster.Name = c.Cluster.Name; o.Cluster.Name == "" {
		faults.Add("Cluster.Name", "is empty")
	}
	var err error
	if o.Cluster.Host, o.Cluster.Port, err = split(c.Cluster.Listen); err != nil {
		faults.Add("Cluster.Listen", "%v", err)
	} else if o.Cluster.Port < 0 {
		faults.Add("Cluster.Listen", "has port 0; the other members must know the port")
	}
	if len(c.Cluster.Routes) == 0 {
		faults.Add("Cluster.Routes", "is empty; a cluster has at least two members")
	}
	for i, r := range c.Cluster.Routes {
		u, err := url.Parse(r)
		if err != nil || u.Hostname() == "" || u.Port() == "" {
			// Without the error, which quotes the password.
			faults.Add(fmt.Sprintf("Cluster.Routes[%d]", i), "is not of the form nats://host:port")
			continue
		}
		o.Routes = append(o.Routes, u)
	}
}

// split splits "host:port". Port 0, a free one, is -1 in the server's options. The error
// reads on from the name of a field.
func split(address string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(p)
	}
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("is %q; it must be host:port with a port from 0 to 65535", address)
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// checkFree returns an error if an address is taken. The server would only log that.
func (c Config) checkFree() error {
	return errors.Join(checkFree("Listen", c.Listen), checkFree("Cluster.Listen", c.Cluster.Listen))
}

func checkFree(field, address string) error {
	if address == "" || address == InProcessOnly {
		return nil
	}
	l, err := net.Listen("tcp", address)
	if err == nil {
		err = l.Close()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	return nil
}

// checkExposed refuses a server that other machines can use without authentication: whoever
// reaches it can change the group and its checkpoints.
func checkExposed(o *server.Options, faults *shardset.ConfigError) {
	anybody := o.Username == "" && o.Authorization == "" && len(o.Users) == 0 && len(o.Nkeys) == 0 &&
		len(o.TrustedKeys) == 0 && len(o.TrustedOperators) == 0 && o.CustomClientAuthentication == nil &&
		!o.TLSVerify && o.AuthCallout == nil
	if !o.DontListen && !loopback(o.Host) && anybody {
		faults.Add("Listen", "is open to the network; let Adjust set users or TLSVerify")
	}
	c := &o.Cluster
	verified := c.TLSConfig != nil && c.TLSConfig.ClientAuth > 0
	if c.Port != 0 && !loopback(c.Host) && c.Username == "" && !verified && o.CustomRouterAuthentication == nil {
		faults.Add("Cluster.Listen", "is open to the network; let Adjust set a user or TLS in Options.Cluster")
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
