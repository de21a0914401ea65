package main

import (
	"fmt"
	"io"
	"net"
)

// introduce says where the server is and how to reach it. The first line is for programs:
// the last word of it is the address.
func introduce(w io.Writer, o options, addr, admin net.Addr) {
	fmt.Fprintf(w, "slsserver listens on %s\n\n", addr)
	fmt.Fprintf(w, "  project    %s\n", o.project)
	for _, l := range o.logstores {
		if l.Shards == 0 {
			fmt.Fprintf(w, "  logstore   %s\n", l.Name)
			continue
		}
		fmt.Fprintf(w, "  logstore   %s, %d shards at first\n", l.Name, l.Shards)
	}
	signed := "not verified: any key will do"
	if o.keyID != "" {
		signed = fmt.Sprintf("verified: key %q", o.keyID)
	}
	fmt.Fprintf(w, "  signatures %s\n", signed)
	if admin != nil {
		fmt.Fprintf(w, "  admin      http://%s (GET /state /stats /faults; POST /faults /evict /expire /logstores)\n", admin)
	}
	hint(w, reachable(addr), o.project, o.logstores[0].Name)
}

// hint says how each client is pointed at the server. Most of them want to put the project before a
// host name that can be resolved, which a local server does not have.
func hint(w io.Writer, addr *net.TCPAddr, project, logstore string) {
	python := fmt.Sprintf(`LogClient("http://%s", id, secret), and the project "" in each call`, addr)
	if addr.IP.To4() == nil {
		python = "HTTP_PROXY, as below: it takes no IPv6 address"
	}
	fmt.Fprintf(w, `
Point a client at it:
  Rollcall    -endpoint http://%[1]s -project %[2]s
  Go SDK      Endpoint: "http://%[1]s/%[2]s", Project: ""
              or a DialContext that dials %[1]s, Endpoint: "http://sls.test", Project: "%[2]s"
  Python SDK  %[3]s
  Java SDK    endpoint "http://sls.test", project "%[2]s", and in ClientConfiguration, or in LogHubConfig
              of the consumer library, setProxyHost("%[4]s") and setProxyPort(%[5]d)
  Node SDK    endpoint: "http://%[1]s/%[2]s", and the project "" in each call
  others      HTTP_PROXY=http://%[1]s, endpoint http://sls.test, project "%[2]s"
  by hand     curl -g http://%[1]s/%[2]s/logstores/%[6]s/shards
`, addr, project, python, addr.IP, addr.Port, logstore)
}

// reachable is where this machine's programs reach an address that a server listens on.
func reachable(addr net.Addr) *net.TCPAddr {
	a := addr.(*net.TCPAddr) // slsserver listens on nothing else
	if a.IP.IsUnspecified() {
		return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: a.Port}
	}
	return a
}
