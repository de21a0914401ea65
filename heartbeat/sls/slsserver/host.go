package slsserver

import (
	"net/netip"
	"strings"
)

// pickProject finds the project of a request. It returns the segments of the path without the
// project.
func (s *Server) pickProject(rt *route, host string, segments []string) ([]string, error) {
	name, sure := s.projectOfHost(host)
	_, known := s.projectNamed(name)
	switch {
	case sure && name != "":
		rt.project = name
	case len(segments) > 0 && segments[0] != "logstores" && segments[0] != "consumergroups":
		rt.project, rt.prefix = segments[0], "/"+segments[0]
		return segments[1:], nil
	case sure:
		rt.project, rt.unnamed = s.cfg.DefaultProject, true
	case known || len(segments) == 0: // the root path: the host names a project to create, or is the endpoint of a region
		rt.project, rt.unnamed = name, name == ""
	default:
		label, _, _ := strings.Cut(host, ".")
		return nil, fail(404, "ProjectNotExist", "The Project does not exist : %s. If the host %q names none, name it in "+
			"the path, or make the host one of the server's suffixes", label, host)
	}
	return segments, nil
}

// projectOfHost finds the project that a host names, or "". It is sure if the host ends in a suffix
// or an address, or has no dots. If it is not sure, a project in the path takes precedence.
func (s *Server) projectOfHost(host string) (name string, sure bool) {
	host = hostName(host)
	if before, ok := s.beforeSuffix(host); ok {
		if before == "" {
			return "", true
		}
		label, region, _ := strings.Cut(before, ".")
		label, known := s.projectNamed(label)
		if region == "" && !known && strings.HasSuffix(host, ".aliyuncs.com") {
			return "", false // the endpoint of a region, without a project
		}
		return label, true
	}
	if label, ok := beforeAddress(host); ok {
		label, _ = s.projectNamed(label)
		return label, true
	}
	label, _, dotted := strings.Cut(host, ".")
	if !dotted {
		return "", true
	}
	name, _ = s.projectNamed(label)
	return name, false
}

// beforeSuffix returns the part of a host before the first of Config.HostSuffixes that the host
// ends in. The part is empty or ends in a dot.
func (s *Server) beforeSuffix(host string) (before string, ok bool) {
	for _, suffix := range s.cfg.HostSuffixes {
		before, ok := strings.CutSuffix(host, suffix)
		if ok && (before == "" || strings.HasSuffix(before, ".")) {
			return before, true
		}
	}
	return "", false
}

// projectNamed finds the project for a label of a host. The label is in lower case, and the name of
// the project need not be. If there is none, it returns the label.
func (s *Server) projectNamed(label string) (name string, known bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.projects[label] != nil {
		return label, true
	}
	for name := range s.projects {
		if strings.EqualFold(name, label) {
			return name, true
		}
	}
	return label, false
}

// beforeAddress returns the part of a host before an IP address: a project, or nothing. Rollcall
// and the Python SDK dial the address and send the project before it in the Host header.
func beforeAddress(host string) (label string, ok bool) {
	at := 0 // where the address begins
	labels := strings.Split(host, ".")
	switch n := len(labels) - 4; {
	case strings.HasSuffix(host, "]"):
		at = strings.IndexByte(host, '[')
	case strings.Contains(host, ":"): // IPv6 without brackets
		at = strings.LastIndexByte(host[:strings.IndexByte(host, ':')], '.') + 1
	case n > 0:
		at = len(strings.Join(labels[:n], ".")) + 1
	}
	if at < 0 {
		return "", false
	}
	if _, err := netip.ParseAddr(strings.Trim(host[at:], "[]")); err != nil {
		return "", false
	}
	return strings.TrimSuffix(host[:at], "."), at == 0 || host[at-1] == '.'
}

// withoutPort cuts the port off a host. An IPv6 address without brackets has no port.
func withoutPort(host string) string {
	colon, bracket := strings.LastIndexByte(host, ':'), strings.LastIndexByte(host, ']')
	if colon < bracket || colon < 0 || bracket < 0 && strings.IndexByte(host, ':') != colon ||
		strings.Trim(host[colon+1:], "0123456789") != "" {
		return host
	}
	return host[:colon]
}
