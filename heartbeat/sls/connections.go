package sls

import (
	"crypto/tls"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// checkConnections checks what connections are made with.
func (c *Config) checkConnections(faults *ConfigError, ep endpoint) {
	if c.Transport != nil {
		if c.TLS != nil {
			faults.addf("TLS", "is set, and so is Transport, which has its own")
		}
		if c.Proxy != nil {
			faults.addf("Proxy", "is set, and so is Transport, which has its own")
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

func (c *Config) checkTLS(faults *ConfigError, ep endpoint) {
	for _, version := range []uint16{c.TLS.MinVersion, c.TLS.MaxVersion} {
		if version != 0 && version < tls.VersionTLS12 {
			faults.addf("TLS", "allows %s; the least is TLS 1.2", tls.VersionName(version))
			break
		}
	}
	if unverified(c.TLS) && !ep.loopback && !c.AllowInsecure {
		faults.addf("TLS", "verifies no certificate, so anybody on the way can pose as the service; set RootCAs, or AllowInsecure")
	}
}

// unverified reports whether a connection takes any certificate.
func unverified(c *tls.Config) bool {
	return c != nil && c.InsecureSkipVerify && c.VerifyConnection == nil && c.VerifyPeerCertificate == nil
}

func (c *Config) checkProxy(faults *ConfigError, ep endpoint) {
	r := &http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: ep.scheme, Host: ep.dial, Path: "/"}, Host: ep.host, Header: http.Header{}}
	switch u, err := c.Proxy(r); {
	case err != nil:
		faults.addf("Proxy", "fails") // its error may show a password
	case u == nil:
	case !validProxy(u):
		faults.addf("Proxy", "has the scheme %s and the host %s; want http, https, socks5 or socks5h, and a host", quote(u.Scheme), quote(u.Hostname()))
	case ep.scheme == "http" && ep.loopback && !c.AllowInsecure && !isLoopback(u.Hostname()):
		faults.addf("Proxy", "is another host, to which requests would go as plain http; set AllowInsecure, or none for this endpoint")
	}
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && addr.IsLoopback()
}
