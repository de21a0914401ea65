package sls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"
)

// maxHeaderBytes bounds the headers of an answer; real ones have less than 1 KiB.
const maxHeaderBytes = 64 << 10

// newTransport makes a pool of HTTP/1.1 connections. With HTTP/2 all requests would share one
// connection, and all would wait if it hangs.
func newTransport(idle int, cfg Config) *http.Transport {
	timeout := cfg.RequestTimeout
	d := &net.Dialer{Timeout: min(timeout, 10*time.Second), KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                  proxy(cfg.Proxy),
		OnProxyConnectResponse: tunnelled,
		DialContext:            dialer(d.DialContext),
		TLSClientConfig:        secured(cfg.TLS),
		TLSHandshakeTimeout:    min(timeout, 10*time.Second),
		ResponseHeaderTimeout:  timeout,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConns:           idle,
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        50 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // pages are compressed by the protocol, all else is small
		ReadBufferSize:         32 << 10,
		WriteBufferSize:        32 << 10,
	}
}

// secured returns the TLS config of a transport, made from Config.TLS.
func secured(c *tls.Config) *tls.Config {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.NextProtos = nil // otherwise the server may choose HTTP/2
	return c
}

// proxy returns the function that chooses the proxy: Config.Proxy or the environment's. It replaces
// their errors, which would show the proxy's URL and a password in it.
func proxy(choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	from := "Config.Proxy"
	if choose == nil {
		choose, from = http.ProxyFromEnvironment, "the environment"
	}
	return func(r *http.Request) (*url.URL, error) {
		u, err := choose(r)
		if err != nil {
			return nil, errors.New(from + " has no URL for the proxy")
		}
		if u != nil && !validProxy(u) {
			return nil, errors.New(from + " has a proxy that is not http, https, socks5 or socks5h, with a host")
		}
		return u, nil
	}
}

// tunnelled names the proxy in the error if it refuses a tunnel. net/http would return the text of
// the status line alone.
func tunnelled(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return fmt.Errorf("the proxy answered with HTTP status %d when it was asked for a tunnel", resp.StatusCode)
}

func validProxy(u *url.URL) bool {
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u.Hostname() != ""
	}
	return false
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dialer dials localhost at a loopback address, without a name server: plain http is allowed there
// because nothing leaves the machine.
func dialer(dial dialFunc) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(address)
		if err != nil || host != "localhost" {
			return dial(ctx, network, address)
		}
		conn, err := dial(ctx, network, net.JoinHostPort("127.0.0.1", port))
		if err == nil || ctx.Err() != nil {
			return conn, err
		}
		if conn, err6 := dial(ctx, network, net.JoinHostPort("::1", port)); err6 == nil {
			return conn, nil
		}
		return nil, err
	}
}

// connecting records whether a request waits for a connection. The error of a context that ended
// is the same as when the service does not answer.
type connecting struct{ asked, got atomic.Bool }

func (c *connecting) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { c.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { c.got.Store(true) },
	})
}

// waits returns false if the transport does not report it.
func (c *connecting) waits() bool { return c.asked.Load() && !c.got.Load() }
