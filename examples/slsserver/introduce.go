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
	if o.config.Dir != "" {
		fmt.Fprintf(w, "  directory  %s\n", o.config.Dir)
	}
	if admin != nil {
		fmt.Fprintf(w, "  admin      http://%s (GET /state /stats /faults; POST /faults /evict /expire /logstores)\n", admin)
	}
	fmt.Fprintf(w, `
Point a client at it:
  Rollcall    -endpoint http://%[1]s -project %[2]s
  Go SDK      Endpoint: "http://%[1]s/%[2]s", Project: ""
              or a DialContext that dials %[1]s, Endpoint: "http://sls.test", Project: "%[2]s"
  Python SDK  LogClient("http://%[1]s", id, secret), project "%[2]s"
  others      HTTP_PROXY=http://%[1]s, endpoint http://sls.test, project "%[2]s"
  by hand     curl http://%[1]s/%[2]s/logstores/%[3]s/shards
`, addr, o.project, o.logstores[0].Name)
}
