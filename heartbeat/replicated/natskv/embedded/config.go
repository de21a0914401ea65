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

// InProcessOnly is a value of Config.Listen. The server then opens no port for clients. Only
// Server.Connect reaches it.
const InProcessOnly = "in-process only"

const (
	defaultName   = "rollcall"
	defaultListen = "127.0.0.1:0"
)

// Config configures a server. The zero value is a server that runs alone and listens on a
// free loopback port.
type Config struct {
	// Name is the name of the server. It must be unique in its cluster and the same after a
	// restart. Empty means "rollcall", except in a cluster, where a name is required.
	Name string
	// Listen is the "host:port" for clients, or InProcessOnly. Port 0 means a free port.
	// Empty means "127.0.0.1:0". Any address other than loopback requires authentication,
	// which Adjust sets.
	Listen string
	// Cluster makes the server a member of a cluster. The zero value means that it runs
	// alone.
	Cluster Cluster
	// Logger takes the log of the server: warnings and errors at their levels, everything
	// else at debug level. Nil: nothing is logged.
	Logger *zap.Logger
	// Adjust, if set, changes the options of the server before it starts: users, TLS,
	// limits. It runs after the other fields are applied.
	Adjust func(*server.Options)
}

// Cluster says how a server finds the other members of its cluster.
type Cluster struct {
	// Name is the name of the cluster, the same for all members. Required.
	Name string
	// Listen is the "host:port" for the other members. Required, with a port other than 0.
	// Any address other than loopback requires authentication: Config.Adjust must set a user
	// or TLS in Options.Cluster.
	Listen string
	// Routes are the addresses of the members: nats://host:port, with user:password@ if
	// needed. At least one is required. The server's own address may be among them.
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
		faults.Add("Listen", "%w", err)
	}
}

// setCluster sets the address for the other members of the cluster, and the addresses of
// those members.
func (c Config) setCluster(o *server.Options, faults *shardset.ConfigError) {
	if c.Name == "" {
		faults.Add("Name", "is empty; a member of a cluster needs a name of its own")
	}
	if o.Cluster.Name = c.Cluster.Name; o.Cluster.Name == "" {
		faults.Add("Cluster.Name", "is empty")
	}
	var err error
	if o.Cluster.Host, o.Cluster.Port, err = split(c.Cluster.Listen); err != nil {
		faults.Add("Cluster.Listen", "%w", err)
	} else if o.Cluster.Port < 0 {
		faults.Add("Cluster.Listen", "has port 0; the other members must know the port")
	}
	if len(c.Cluster.Routes) == 0 {
		faults.Add("Cluster.Routes", "is empty; a cluster has at least two members")
	}
	for i, r := range c.Cluster.Routes {
		u, err := url.Parse(r)
		if err != nil || u.Hostname() == "" || u.Port() == "" {
			// The error of url.Parse would quote the password.
			faults.Add(fmt.Sprintf("Cluster.Routes[%d]", i), "is not of the form nats://host:port")
			continue
		}
		o.Routes = append(o.Routes, u)
	}
}

// split splits "host:port". Port 0 means a free port; split returns it as -1, which means
// the same in the server's options. The error is a reason for ConfigError.Add.
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

// checkExposed refuses a server that other machines can use without authentication, because
// they could change the group and its checkpoints.
func checkExposed(o *server.Options, faults *shardset.ConfigError) {
	open := o.Username == "" && o.Authorization == "" && len(o.Users) == 0 && len(o.Nkeys) == 0 &&
		len(o.TrustedKeys) == 0 && len(o.TrustedOperators) == 0 && o.CustomClientAuthentication == nil &&
		!o.TLSVerify && o.AuthCallout == nil
	if !o.DontListen && !loopback(o.Host) && open {
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
