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
// connection, and a connection that hangs would delay all of them.
func newTransport(idle int, cfg Config) *http.Transport {
	timeout := cfg.RequestTimeout
	d := &net.Dialer{Timeout: min(timeout, 10*time.Second), KeepAlive: 15 * time.Second}
	return &http.Transport{
		Proxy:                  proxy(cfg.Proxy),
		OnProxyConnectResponse: checkTunnel,
		DialContext:            dialer(d.DialContext),
		TLSClientConfig:        tlsConfig(cfg.TLS),
		TLSHandshakeTimeout:    min(timeout, 10*time.Second),
		ResponseHeaderTimeout:  timeout,
		ExpectContinueTimeout:  time.Second,
		MaxIdleConns:           idle,
		MaxIdleConnsPerHost:    idle,
		IdleConnTimeout:        50 * time.Second,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // the protocol compresses pages, and all else is small
		ReadBufferSize:         32 << 10,
		WriteBufferSize:        32 << 10,
	}
}

// tlsConfig returns the TLS config of a transport, made from Config.TLS.
func tlsConfig(c *tls.Config) *tls.Config {
	if c == nil {
		c = &tls.Config{}
	}
	c = c.Clone()
	c.MinVersion = max(c.MinVersion, tls.VersionTLS12)
	c.NextProtos = nil // otherwise the server may choose HTTP/2
	return c
}

// proxy returns the function that chooses the proxy: Config.Proxy or http.ProxyFromEnvironment. It
// replaces their errors, because those show the proxy's URL, which may contain a password.
func proxy(choose func(*http.Request) (*url.URL, error)) func(*http.Request) (*url.URL, error) {
	from := "Config.Proxy"
	if choose == nil {
		choose, from = http.ProxyFromEnvironment, "the environment"
	}
	return func(r *http.Request) (*url.URL, error) {
		u, err := choose(r)
		if err != nil {
			return nil, errors.New(from + " has no valid URL of a proxy")
		}
		if u != nil && !validProxy(u) {
			return nil, errors.New(from + " has a proxy without a host, or with a scheme other than http, https, socks5 and socks5h")
		}
		return u, nil
	}
}

// checkTunnel returns an error if the proxy refuses a tunnel. Its error says that the proxy
// answered; that of net/http has only the text of the status line.
func checkTunnel(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return fmt.Errorf("the proxy answered with HTTP status %d to a request for a tunnel", resp.StatusCode)
}

func validProxy(u *url.URL) bool {
	switch u.Scheme {
	case "http", "https", "socks5", "socks5h":
		return u.Hostname() != ""
	}
	return false
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dialer makes dial connect to a loopback address for localhost, without a name server. The client
// allows plain http to localhost, so those requests must not leave the machine.
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

// connecting records whether a request waits for a connection. If the request's context ends,
// net/http's error does not show whether the request waited for a connection or for the answer.
type connecting struct{ asked, got atomic.Bool }

func (c *connecting) trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn: func(string) { c.asked.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { c.got.Store(true) },
	})
}

// waits reports whether the request waits for a connection. It is false if the transport does not
// trace connections.
func (c *connecting) waits() bool { return c.asked.Load() && !c.got.Load() }
