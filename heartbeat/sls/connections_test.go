package sls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/shardset"
)

// An authority and a certificate of one's own cost neither the two pools nor HTTP/1.1,
// whatever the tls.Config would choose.
func TestTLS(t *testing.T) {
	var mu sync.Mutex
	protos, remotes, certs := map[string]bool{}, map[string]bool{}, 0
	h := handler(service(6, nil))
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		protos[r.Proto], remotes[r.RemoteAddr] = true, true
		certs = len(r.TLS.PeerCertificates)
		mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	srv.EnableHTTP2 = true
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	srv.StartTLS()
	defer srv.Close()
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())

	cfg := config(nil)
	cfg.Transport, cfg.Endpoint = nil, srv.URL
	if _, err := newClient(t, cfg).Beat(t.Context(), request()); err == nil {
		t.Error("a certificate of nobody that is known is believed")
	}
	own := &tls.Config{RootCAs: roots, Certificates: srv.TLS.Certificates, NextProtos: []string{"h2", "http/1.1"}, ServerName: "example.com"}
	cfg.TLS = own
	c := newClient(t, cfg)
	if _, err := c.Beat(t.Context(), request()); err != nil {
		t.Error(err)
	}
	if err := c.updateCheckpoint(t.Context(), "c1", 0, "x"); err != nil {
		t.Error(err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(protos) != 1 || !protos["HTTP/1.1"] || len(remotes) != 2 || certs != 1 {
		t.Errorf("it spoke %v from %d connections with %d certificates, want HTTP/1.1, two and one", protos, len(remotes), certs)
	}
	if len(own.NextProtos) != 2 || own.MinVersion != 0 {
		t.Error("the caller's tls.Config was changed")
	}
}

// A proxy that gives no tunnel is no answer of the service, and says what it is.
func TestProxyRefusesTheTunnel(t *testing.T) {
	for _, status := range []int{403, 407, 502} {
		s := serve(t, "127.0.0.1:0", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		u, err := url.Parse(s.URL)
		if err != nil {
			t.Fatal(err)
		}
		u.User = url.UserPassword("canary", "canary")
		cfg := config(nil)
		cfg.Transport, cfg.Proxy = nil, http.ProxyURL(u)
		_, err = newClient(t, cfg).heartbeat(t.Context(), "c1", nil)
		var te *TransportError
		if !errors.As(err, &te) || !heartbeat.Retryable(err) || strings.Contains(err.Error(), "canary") ||
			!strings.Contains(err.Error(), fmt.Sprintf("the proxy answered with HTTP status %d", status)) {
			t.Errorf("a tunnel refused with %d is %v", status, err)
		}
	}
}

// What a proxy is asked for, its user's password included, goes to it; what fails shows
// no password.
func TestProxy(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	h := handler(service(6, nil))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, fmt.Sprint(r.URL.Host, " ", r.Header.Get("Proxy-Authorization") != ""))
		mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("user", "canary")
	cfg := config(nil)
	cfg.Transport, cfg.Endpoint, cfg.AllowInsecure, cfg.Proxy = nil, "http://sls.test", true, http.ProxyURL(u)
	c := newClient(t, cfg)
	if _, err := c.Beat(t.Context(), request()); err != nil {
		t.Error(err)
	}
	if err := c.updateCheckpoint(t.Context(), "c1", 0, "x"); err != nil {
		t.Error(err)
	}
	mu.Lock()
	if len(asked) != 3 || asked[0] != "my-project.sls.test true" {
		t.Errorf("the proxy was asked for %q", asked)
	}
	mu.Unlock()
	srv.Close()
	if _, err = c.Beat(t.Context(), request()); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("without the proxy the heartbeat returned %v", err)
	}
	fail := false
	cfg.Proxy = func(*http.Request) (*url.URL, error) {
		if fail {
			return nil, fmt.Errorf("bad proxy %s", u)
		}
		return u, nil
	}
	c = newClient(t, cfg)
	fail = true
	if _, err = c.Beat(t.Context(), request()); err == nil || strings.Contains(err.Error(), "canary") || !strings.Contains(err.Error(), "Config.Proxy") {
		t.Errorf("with a proxy that cannot be chosen the heartbeat returned %v", err)
	}
}

func TestConnectionFaults(t *testing.T) {
	through := func(s string) func(*http.Request) (*url.URL, error) {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return http.ProxyURL(u)
	}
	verify := func(tls.ConnectionState) error { return nil }
	for _, c := range []struct {
		name, field string // no field: no fault
		set         func(*Config)
	}{
		{"plain", "", func(*Config) {}},
		{"roots", "", func(c *Config) { c.TLS = &tls.Config{RootCAs: x509.NewCertPool()} }},
		{"new versions", "", func(c *Config) { c.TLS = &tls.Config{MinVersion: tls.VersionTLS13} }},
		{"old versions", "TLS", func(c *Config) { c.TLS = &tls.Config{MinVersion: tls.VersionTLS10} }},
		{"only old versions", "TLS", func(c *Config) { c.TLS = &tls.Config{MaxVersion: tls.VersionTLS11} }},
		{"no verification", "TLS", func(c *Config) { c.TLS = &tls.Config{InsecureSkipVerify: true} }},
		{"own verification", "", func(c *Config) { c.TLS = &tls.Config{InsecureSkipVerify: true, VerifyConnection: verify} }},
		{"no verification, allowed", "", func(c *Config) { c.TLS, c.AllowInsecure = &tls.Config{InsecureSkipVerify: true}, true }},
		{"no verification of this host", "", func(c *Config) {
			c.TLS, c.Endpoint = &tls.Config{InsecureSkipVerify: true}, "https://localhost:1"
		}},
		{"TLS and transport", "TLS", func(c *Config) { c.TLS, c.Transport = &tls.Config{}, http.DefaultTransport }},
		{"no proxy", "", func(c *Config) { c.Proxy = http.ProxyURL(nil) }},
		{"http proxy", "", func(c *Config) { c.Proxy = through("http://proxy:3128") }},
		{"https proxy", "", func(c *Config) { c.Proxy = through("https://u:p@proxy") }},
		{"socks proxy", "", func(c *Config) { c.Proxy = through("socks5h://proxy:1080") }},
		{"odd proxy", "Proxy", func(c *Config) { c.Proxy = through("ftp://canary:canary@proxy") }},
		{"proxy without a scheme", "Proxy", func(c *Config) { c.Proxy = http.ProxyURL(&url.URL{Host: "proxy:3128"}) }},
		{"proxy without a host", "Proxy", func(c *Config) { c.Proxy = through("http://:3128") }},
		{"proxy that fails", "Proxy", func(c *Config) {
			c.Proxy = func(*http.Request) (*url.URL, error) { return nil, errors.New("canary") }
		}},
		{"proxy and transport", "Proxy", func(c *Config) { c.Proxy, c.Transport = through("http://proxy"), http.DefaultTransport }},
		{"this host through another", "Proxy", func(c *Config) { c.Endpoint, c.Proxy = "127.0.0.1:1", through("http://proxy") }},
		{"this host through itself", "", func(c *Config) { c.Endpoint, c.Proxy = "127.0.0.1:1", through("http://localhost:2") }},
	} {
		cfg := config(nil)
		cfg.Transport = nil
		core, logs := observer.New(zap.WarnLevel)
		cfg.Logger = zap.New(core)
		c.set(&cfg)
		cl, err := New(cfg)
		var bad *shardset.ConfigError
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", c.name, err)
		case c.field != "" && (!errors.As(err, &bad) || len(bad.Faults) != 1 || bad.Faults[0].Field != c.field || strings.Contains(err.Error(), "canary")):
			t.Errorf("%s: New returned %v, want one fault of %s", c.name, err, c.field)
		}
		if cl != nil {
			_ = cl.Close()
		}
		if want := c.name == "no verification, allowed"; (logs.Len() == 1) != want {
			t.Errorf("%s: there are %d warnings", c.name, logs.Len())
		}
	}
}
