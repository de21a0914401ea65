package sls

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// endpoint is where requests go.
type endpoint struct {
	scheme   string
	dial     string // the URL's host, with the port if Config.Endpoint has one
	host     string // the Host header, with the project; V4 signs it
	loopback bool
}

// parseEndpoint reads Config.Endpoint. Without a scheme it chooses https. The official Go SDK
// chooses http; others can then read the data and the security token, although they cannot change a
// signed request. For a loopback address parseEndpoint chooses http, because nothing leaves the
// machine and local servers seldom have certificates.
//
// An IP address or localhost with a project in front of it is not a host name that resolves. So its
// URL has no project, and only the Host header contains the project.
func parseEndpoint(s, project string) (endpoint, error) {
	if s == "" {
		return endpoint{}, errors.New("is empty")
	}
	if strings.Contains(s, "@") { // the error does not show s, because s may contain a password
		return endpoint{}, errors.New("contains a user name; set Config.Credentials instead")
	}
	scheme, rest, found := strings.Cut(s, "://")
	if !found {
		scheme, rest = "", s
	}
	scheme = strings.ToLower(scheme)
	if found && scheme != "http" && scheme != "https" {
		return endpoint{}, fmt.Errorf("is %s; its scheme is neither http nor https", quote(s))
	}
	rest = strings.TrimSuffix(rest, "/")
	if strings.ContainsAny(rest, "/?#%\\ ") {
		return endpoint{}, fmt.Errorf("is %s; want a host name without a path", quote(s))
	}
	u, err := url.Parse("//" + rest)
	if err != nil || u.Host != rest || u.Hostname() == "" {
		return endpoint{}, fmt.Errorf("is %s; want a host name, with or without a port", quote(s))
	}
	addr, isAddr, err := parseHost(u.Hostname())
	if err != nil {
		return endpoint{}, fmt.Errorf("is %s: %w", quote(s), err)
	}
	if strings.HasPrefix(rest, "[") != (isAddr && addr.Is6()) {
		return endpoint{}, fmt.Errorf("is %s; brackets are for IPv6 addresses", quote(s))
	}
	if strings.HasSuffix(rest, ":") || u.Port() != "" && !validPort(u.Port()) {
		return endpoint{}, fmt.Errorf("is %s; its port is not a number from 1 to 65535", quote(s))
	}

	rest = strings.ToLower(rest)
	local := strings.EqualFold(u.Hostname(), "localhost")
	ep := endpoint{scheme: scheme, dial: rest, host: rest, loopback: isLoopback(u.Hostname())}
	if project != "" {
		ep.host = project + "." + rest
		if !isAddr && !local {
			ep.dial = ep.host
		}
	}
	switch {
	case ep.scheme != "":
	case ep.loopback:
		ep.scheme = "http"
	default:
		ep.scheme = "https"
	}
	return ep, nil
}

// onlyV4 is a part of the names of the regions that accept only V4.
const onlyV4 = "-acdr-ut-"

// networks are the suffixes that an endpoint may have after the region.
var networks = []string{"-intranet", "-internal", "-share", "-vpc"}

// region returns the region in the name of an endpoint, as the official SDKs read it. It is empty if
// the name has none, as for global acceleration.
func (e endpoint) region(project string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(e.host, project+"."), ":")
	for _, suffix := range []string{".log.aliyuncs.com", ".sls.aliyuncs.com"} {
		name, ok := strings.CutSuffix(host, suffix)
		if !ok {
			continue
		}
		name = name[strings.LastIndexByte(name, '.')+1:] // without the project
		for _, network := range networks {
			if region, ok := strings.CutSuffix(name, network); ok {
				return region
			}
		}
		return name
	}
	return ""
}

// parseHost checks a host name and reports whether it is an address.
func parseHost(host string) (addr netip.Addr, isAddr bool, err error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		if addr.Zone() != "" {
			return addr, true, errors.New("an address with a zone cannot be used")
		}
		return addr, true, nil
	}
	if len(host) > 253 {
		return addr, false, errors.New("the host name is too long")
	}
	for label := range strings.SplitSeq(host, ".") {
		if !validProject(label) {
			return addr, false, fmt.Errorf("%s is not a valid part of a host name", quote(label))
		}
	}
	return addr, false, nil
}

func validPort(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && 1 <= n && n <= 65535 && strconv.Itoa(n) == s
}
