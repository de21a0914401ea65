package slsserver

import (
	"net/netip"
	"strings"
)

// knownHost refuses a request for another host, if the server has no keys. A page can point its
// own name at this machine (DNS rebinding). The browser then does not mark its requests as another
// site's: only the host tells.
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

// isLoopbackName reports whether a host means this machine for every resolver: localhost or a
// loopback address, with or without a project in front and a port behind. No page can have an
// address behind other labels as its host, because browsers refuse such a name.
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

// hostName is a host in lower case, without its port and the dot of the root.
func hostName(host string) string { return strings.ToLower(strings.TrimSuffix(withoutPort(host), ".")) }
