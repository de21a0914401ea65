package slsserver

import (
	"net/netip"
	"strings"
)

// knownHost refuses unknown hosts, if the server has no keys. A web page can let its own name
// resolve to this machine (DNS rebinding). The browser then does not mark the page's requests as
// those of another site. Only their host shows it.
func (s *Server) knownHost(host string) error {
	if len(*s.keys.Load()) > 0 || s.cfg.Insecure || isLoopbackName(host) {
		return nil
	}
	if _, ok := s.beforeSuffix(hostName(host)); ok {
		return nil
	}
	return fail(403, "Unauthorized",
		"without keys only loopback hosts and those of Config.HostSuffixes are served, and %q is neither", host)
}

// isLoopbackName reports whether every resolver resolves a host to this machine: localhost or a
// loopback address, with or without a project in front and a port behind. A web page cannot have a
// host such as demo.127.0.0.1, because browsers refuse it.
func isLoopbackName(host string) bool {
	name := hostName(host)
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	if i := strings.IndexByte(name, '['); i >= 0 {
		name = strings.TrimSuffix(name[i+1:], "]")
	} else if labels := strings.Split(name, "."); len(labels) > 4 {
		name = strings.Join(labels[len(labels)-4:], ".")
	}
	a, err := netip.ParseAddr(name)
	return err == nil && a.Unmap().IsLoopback()
}

// hostName returns a host in lower case, without its port and a dot at its end.
func hostName(host string) string { return strings.ToLower(strings.TrimSuffix(withoutPort(host), ".")) }
