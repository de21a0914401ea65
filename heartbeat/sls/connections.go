package sls

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"github.com/rollcall-go/rollcall/shardset"
)

// checkConnections checks TLS, Proxy and Transport.
func (c *Config) checkConnections(faults *shardset.ConfigError, ep endpoint) {
	if c.Transport != nil {
		if c.TLS != nil {
			faults.Add("TLS", "is set together with Transport, which has its own setting")
		}
		if c.Proxy != nil {
			faults.Add("Proxy", "is set together with Transport, which has its own setting")
		}
		return
	}
	if c.TLS != nil {
		c.checkTLS(faults, ep)
	}
	if c.Proxy != nil {
		c.checkProxy(faults, ep)
	}
}

func (c *Config) checkTLS(faults *shardset.ConfigError, ep endpoint) {
	for _, version := range []uint16{c.TLS.MinVersion, c.TLS.MaxVersion} {
		if version != 0 && version < tls.VersionTLS12 {
			faults.Add("TLS", "allows %s; TLS 1.2 is the minimum", tls.VersionName(version))
			break
		}
	}
	if unverified(c.TLS) && !ep.loopback && !c.AllowInsecure {
		faults.Add("TLS", "verifies no certificate, so another host can pretend to be the service; set RootCAs, or AllowInsecure")
	}
}

// unverified reports whether a connection accepts every certificate.
func unverified(c *tls.Config) bool {
	return c != nil && c.InsecureSkipVerify && c.VerifyConnection == nil && c.VerifyPeerCertificate == nil
}

func (c *Config) checkProxy(faults *shardset.ConfigError, ep endpoint) {
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: ep.scheme, Host: ep.dial, Path: "/"}, Host: ep.host, Header: http.Header{}}
	switch u, err := c.Proxy(r); {
	case err != nil:
		faults.Add("Proxy", "fails") // its error may show a password
	case u == nil:
	case !validProxy(u):
		faults.Add("Proxy", "has the scheme %s and the host %s; want http, https, socks5 or socks5h, and a host", quote(u.Scheme), quote(u.Hostname()))
	case ep.scheme == "http" && ep.loopback && !c.AllowInsecure && !isLoopback(u.Hostname()):
		faults.Add("Proxy", "is on another host, and requests to it would use plain http; set AllowInsecure, or return no proxy for this endpoint")
	}
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}
