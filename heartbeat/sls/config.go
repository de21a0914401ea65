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
	// defaultTimeout is a value that the service's own samples use. The service documents
	// no range.
	defaultTimeout        = 30 * time.Second
	defaultRequestTimeout = 30 * time.Second

	// maxTimeout bounds how long the shards of a dead worker wait.
	maxTimeout = 24 * time.Hour
)

// Config is what a Client is made with.
type Config struct {
	// Endpoint is where the service is: "cn-hangzhou.log.aliyuncs.com", with a scheme
	// and a port if need be. Without a scheme it is https, except for a loopback
	// address, where it is http. A loopback address is dialled as it is, and the
	// project goes into the Host header only.
	Endpoint string
	// Project is the project's name. Empty means that the endpoint is the whole host
	// name, with the project in it or with none.
	Project string
	// Logstore is the logstore's name. It is the Log of all shard IDs.
	Logstore string
	// Group is the consumer group's name. Only a client that neither beats nor commits
	// may leave it empty.
	Group string

	// Timeout is the group's lease time when this client creates it: whole seconds. It
	// has no effect on a group that exists, unless UpdateGroup is set; leases always
	// follow the group's own timeout. Zero means 30 s.
	Timeout time.Duration
	// Ordered makes the children of a split shard wait for their ancestors. Like
	// Timeout, it is for the group's creation.
	Ordered bool
	// UpdateGroup changes a group that exists to Timeout and Ordered, once, when this
	// client first meets it. Otherwise a difference is logged and the group stays as
	// it is: another program may have its reasons.
	UpdateGroup bool
	// MustExist leaves a group that does not exist to Create. Otherwise the first
	// heartbeat of this client creates it.
	MustExist bool

	// Credentials sign the requests; see Static and FromEnv. Nil means anonymous, for
	// servers that do not verify.
	Credentials CredentialsProvider
	// Signature is how requests are signed. Empty means V4 in the regions that take no
	// other, those with "-acdr-ut-" in their own or their endpoint's names, and V1 in all
	// others.
	Signature Signature
	// Region is the service's region, "cn-hangzhou", which V4 needs. Empty means the one
	// that the Endpoint names: "cn-hangzhou-intranet.log.aliyuncs.com" is in cn-hangzhou.
	Region string
	// AllowInsecure permits plain http to other hosts than the loopback, also through a
	// Proxy, and a TLS that verifies no certificate: whoever is on the way can read all
	// data, and the security token.
	AllowInsecure bool

	// Member is the name of this worker. It is part of the User-Agent header, by which
	// the service's own logs can tell workers apart, and of nothing else.
	Member string
	// RequestTimeout bounds each call, the transfer of data included. A context may
	// end it earlier. Zero means 30 s.
	RequestTimeout time.Duration
	// TLS is what connections are secured with: RootCAs for an authority of your own,
	// Certificates for the client's. It is copied. Nil means the system's authorities.
	TLS *tls.Config
	// Proxy returns the proxy of a request, nil for none, as the field of http.Transport
	// does: http.ProxyURL(u), with the scheme http, https, socks5 or socks5h. New asks it
	// once. Nil means the environment's: HTTPS_PROXY, HTTP_PROXY and NO_PROXY.
	Proxy func(*http.Request) (*url.URL, error)
	// Transport carries all requests. Nil means two pools of HTTP/1.1 connections of
	// this client's own: one for heartbeats, one for all else, so that the data cannot
	// delay a heartbeat. TLS and Proxy are for these.
	Transport http.RoundTripper
	// Logger gets few lines: a group that differs from this Config or cannot be read again,
	// plain http, a certificate that is not verified, credentials that cannot be renewed, a
	// clock that is more than a second off. Nil means silence.
	Logger *zap.Logger
}

// complete checks the Config and fills in defaults.
func (c *Config) complete() (endpoint, error) {
	faults := &shardset.ConfigError{Config: "sls.Config"}
	ep := c.checkAddress(faults)
	if !validName(c.Logstore) {
		faults.Add("Logstore", "is %s; want %s", quote(c.Logstore), nameRule)
	} else if err := (shardset.ID{Log: c.Logstore}).Validate(); err != nil {
		faults.Add("Logstore", "makes no shard ID: %v", err)
	}
	if c.Group != "" && !validName(c.Group) {
		faults.Add("Group", "is %s; want %s", quote(c.Group), nameRule)
	}
	if c.Member != "" {
		if err := shardset.CheckName(c.Member); err != nil {
			faults.Add("Member", "%v", err)
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
		faults.Add("Endpoint", "%v", err)
		return endpoint{}
	}
	if ep.scheme == "http" && !ep.loopback && !c.AllowInsecure {
		faults.Add("Endpoint", "is plain http to another host, which anybody on the way can read; use https, or set AllowInsecure")
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
			faults.Add("Region", "is empty, and the endpoint names none; signature V4 needs it")
		}
	default:
		faults.Add("Signature", "is %s; want v1 or v4", quote(string(c.Signature)))
	}
	if c.Region != "" && !validProject(c.Region) {
		faults.Add("Region", "is %s; want letters, digits and hyphens", quote(c.Region))
	}
	if p, ok := c.Credentials.(interface{ validate() error }); ok {
		if err := p.validate(); err != nil {
			faults.Add("Credentials", "%v", err)
		}
	}
}
