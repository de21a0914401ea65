package sls

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/rollcall-go/rollcall/shardset"
)

const (
	// defaultTimeout is from the service's own samples. The service documents no range.
	defaultTimeout        = 30 * time.Second
	defaultRequestTimeout = 30 * time.Second

	// maxTimeout bounds how long the shards of an expired member wait.
	maxTimeout = 24 * time.Hour
)

// Config configures a Client.
type Config struct {
	// Endpoint is the address of the service: "cn-hangzhou.log.aliyuncs.com", with a scheme and a
	// port if necessary. The default scheme is https, and http for a loopback address. The client
	// connects to PROJECT.ENDPOINT. If the endpoint is an IP address or localhost, the client
	// connects to the endpoint itself, and only the Host header contains the project.
	Endpoint string
	// Project is the project's name. Empty means that the endpoint is the whole host name.
	Project string
	// Logstore is the logstore's name. It is the Log of all shard IDs.
	Logstore string
	// Group is the consumer group's name. Empty means no group: heartbeats and checkpoint calls
	// then return a *UsageError.
	Group string

	// Timeout is the lease time of a group that this client creates, in whole seconds. An existing
	// group keeps its own timeout, unless UpdateGroup is set. Zero means 30 s.
	Timeout time.Duration
	// Ordered makes the children of a split or merged shard wait for their ancestors. Like Timeout,
	// it applies to a group that this client creates, and with UpdateGroup to an existing one.
	Ordered bool
	// UpdateGroup makes this client set Timeout and Ordered of an existing group, at most once,
	// normally when it first reads the group's settings. Without UpdateGroup the client only logs a
	// difference.
	UpdateGroup bool
	// MustExist makes the first heartbeat fail if the group does not exist. Without MustExist the
	// first heartbeat creates it.
	MustExist bool

	// Credentials sign the requests; see Static and FromEnv. Nil means unsigned requests, for
	// servers that do not verify signatures.
	Credentials CredentialsProvider
	// Signature is the version of the signature. Empty means V1, or V4 if the name of the region or
	// the endpoint contains "-acdr-ut-": those regions accept only V4.
	Signature Signature
	// Region is the service's region, which V4 needs: "cn-hangzhou". Empty means the region
	// in the Endpoint: "cn-hangzhou-intranet.log.aliyuncs.com" is in cn-hangzhou.
	Region string
	// AllowInsecure permits plain http requests that leave this machine, directly or through a
	// Proxy. It also permits a TLS config that verifies no certificate. Others on the network path
	// can then read all data and the security token.
	AllowInsecure bool

	// Member is the name of this worker. It goes only into the User-Agent header, so that the
	// service's logs distinguish workers.
	Member string
	// RequestTimeout bounds each request, the transfer of data included. Zero means 30 s.
	RequestTimeout time.Duration
	// TLS secures the connections. Set RootCAs for your own certificate authority, and Certificates
	// for a client certificate. New copies it. Nil means the system's authorities.
	TLS *tls.Config
	// Proxy returns the proxy of a request, or nil for none, as in http.Transport:
	// http.ProxyURL(u), with the scheme http, https, socks5 or socks5h. New calls it once, as a
	// check. Nil means the environment's proxy: HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
	Proxy func(*http.Request) (*url.URL, error)
	// Transport sends all requests; TLS and Proxy must then be nil. Nil means two pools of HTTP/1.1
	// connections, one for heartbeats and one for all else, so that data cannot delay a heartbeat.
	Transport http.RoundTripper
	// Logger receives a line about:
	//   - group settings that the client changed, that differ from this Config, or that the client
	//     cannot read again;
	//   - plain http, and a certificate that the client does not verify;
	//   - credentials that the provider does not renew;
	//   - clocks that differ by more than a second.
	//
	// Nil means no log.
	Logger *zap.Logger
}

// complete checks the Config and fills in defaults.
func (c *Config) complete() (endpoint, error) {
	faults := &shardset.ConfigError{Config: "sls.Config"}
	ep := c.checkAddress(faults)
	if !validName(c.Logstore) {
		faults.Add("Logstore", "is %s; want %s", quote(c.Logstore), nameRule)
	} else if err := (shardset.ID{Log: c.Logstore}).Validate(); err != nil {
		faults.Add("Logstore", "makes no shard ID: %w", err)
	}
	if c.Group != "" && !validName(c.Group) {
		faults.Add("Group", "is %s; want %s", quote(c.Group), nameRule)
	}
	if c.Member != "" {
		if err := shardset.CheckName(c.Member); err != nil {
			faults.Add("Member", "%w", err)
		}
	}
	c.checkTimes(faults)
	c.checkSigning(faults, ep)
	c.checkConnections(faults, ep)
	if err := faults.Err(); err != nil {
		return endpoint{}, err
	}
	if c.Logger == nil {
		c.Logger = zap.NewNop()
	}
	return ep, nil
}

func (c *Config) checkAddress(faults *shardset.ConfigError) endpoint {
	if c.Project != "" && !validProject(c.Project) {
		faults.Add("Project", "is %s; want 1 to 63 letters, digits and hyphens, with no hyphen at an end", quote(c.Project))
	}
	ep, err := parseEndpoint(c.Endpoint, c.Project)
	if err != nil {
		faults.Add("Endpoint", "%w", err)
		return endpoint{}
	}
	if ep.scheme == "http" && !ep.loopback && !c.AllowInsecure {
		faults.Add("Endpoint", "is plain http to another host, so others on the network path can read the data; use https, or set AllowInsecure")
	}
	return ep
}

func (c *Config) checkTimes(faults *shardset.ConfigError) {
	switch {
	case c.Timeout == 0:
		c.Timeout = defaultTimeout
	case c.Timeout < time.Second || c.Timeout > maxTimeout || c.Timeout%time.Second != 0:
		faults.Add("Timeout", "is %v; want whole seconds, 1s to %v", c.Timeout, maxTimeout)
	}
	switch {
	case c.RequestTimeout == 0:
		c.RequestTimeout = defaultRequestTimeout
	case c.RequestTimeout < 0:
		faults.Add("RequestTimeout", "is %v; it must not be negative", c.RequestTimeout)
	}
}

func (c *Config) checkSigning(faults *shardset.ConfigError, ep endpoint) {
	if c.Region == "" {
		c.Region = ep.region(c.Project)
	}
	switch c.Signature {
	case "":
		c.Signature = V1
		if strings.Contains(c.Region, onlyV4) || strings.Contains(ep.region(c.Project), onlyV4) {
			c.Signature = V4
		}
	case V1:
	case V4:
		if c.Region == "" {
			faults.Add("Region", "is empty, and the endpoint contains no region; signature V4 needs one")
		}
	default:
		faults.Add("Signature", "is %s; want v1 or v4", quote(string(c.Signature)))
	}
	if c.Region != "" && !validProject(c.Region) {
		faults.Add("Region", "is %s; want letters, digits and hyphens", quote(c.Region))
	}
	if p, ok := c.Credentials.(interface{ validate() error }); ok {
		if err := p.validate(); err != nil {
			faults.Add("Credentials", "%w", err)
		}
	}
}
