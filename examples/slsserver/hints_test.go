package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
	"github.com/rollcall-go/rollcall/heartbeat/sls/slsserver"
)

// TestHints does what each printed line says, in the way in which that client makes its requests.
func TestHints(t *testing.T) {
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"} {
		t.Run(listen, func(t *testing.T) { tryHints(t, listen) })
	}
}

func tryHints(t *testing.T, listen string) {
	srv, err := slsserver.New(slsserver.Config{Insecure: true, Projects: []slsserver.Project{
		{Name: "demo", Logstores: []slsserver.Logstore{{Name: "app", Shards: 3}}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	l, err := srv.Listen(listen)
	if err != nil {
		_ = srv.Close()
		t.Skipf("this machine has no such address: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }() // Close ends it
	t.Cleanup(func() {
		_ = srv.Close()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	var out bytes.Buffer
	hint(&out, reachable(l.Addr()), "demo", "app")
	find := func(pattern string) []string {
		t.Helper()
		m := regexp.MustCompile(pattern).FindStringSubmatch(out.String())
		if m == nil {
			t.Fatalf("no %s in\n%s", pattern, out.String())
		}
		return m[1:]
	}

	at := find(`Rollcall +-endpoint (\S+) -project (\S+)`)
	c, err := sls.New(sls.Config{Endpoint: at[0], Project: at[1], Logstore: "app", Group: "g"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if shards, err := c.ListShards(t.Context()); err != nil || len(shards) != 3 {
		t.Errorf("Rollcall: %d shards, %v", len(shards), err)
	}

	at = find(`Go SDK +Endpoint: "([^"]*)", Project: "([^"]*)"`)
	shards(t, "Go", base(at[0], at[1]), "", &http.Transport{})
	at = find(`dials (\S+), Endpoint: "([^"]*)", Project: "([^"]*)"`)
	shards(t, "Go with a dialer", base(at[1], at[2]), "", &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at[0])
		},
	})
	at = find(`Node SDK +endpoint: "([^"]*)", and the project "([^"]*)"`)
	shards(t, "Node", base(at[0], at[1]), "", &http.Transport{})
	at = find(`Java SDK +endpoint "([^"]*)", project "([^"]*)"(?s:.*)setProxyHost\("([^"]*)"\) and setProxyPort\((\d+)\)`)
	shards(t, "Java", base(at[0], at[1]), "", through("http://"+net.JoinHostPort(at[2], at[3])))
	at = find(`HTTP_PROXY=(\S+), endpoint (\S+), project "([^"]*)"`)
	shards(t, "others", base(at[1], at[2]), "", through(at[0]))
	at = find(`curl -g (\S+)/logstores/app/shards`)
	shards(t, "by hand", at[0], "", &http.Transport{})

	if listen == "[::1]:0" {
		find(`Python SDK +HTTP_PROXY, as below`)
		return
	}
	// Python takes the address up to the first colon for the host, and sends it without the port.
	at = find(`Python SDK +LogClient\("([^"]*)", .* project "([^"]*)"`)
	host, _, _ := strings.Cut(strings.TrimPrefix(at[0], "http://"), ":")
	if at[1] != "" {
		host = at[1] + "." + host
	}
	shards(t, "Python", base(at[0], at[1]), host, &http.Transport{})
}

// base puts the project before the endpoint, as every SDK does.
func base(endpoint, project string) string {
	if project == "" {
		return endpoint
	}
	return strings.Replace(endpoint, "://", "://"+project+".", 1)
}

func through(proxy string) *http.Transport {
	return &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return url.Parse(proxy) }}
}

// shards asks for the shards of the logstore, of which there are three.
func shards(t *testing.T, who, base, host string, transport *http.Transport) {
	t.Helper()
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodGet, base+"/logstores/app/shards", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := transport.RoundTrip(req)
	if err != nil {
		t.Errorf("%s: %v", who, err)
		return
	}
	defer resp.Body.Close()
	var body bytes.Buffer
	if _, err := body.ReadFrom(resp.Body); err != nil || resp.StatusCode != http.StatusOK || strings.Count(body.String(), "shardID") != 3 {
		t.Errorf("%s: %s", who, fmt.Sprint(resp.Status, " ", body.String(), err))
	}
}
