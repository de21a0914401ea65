package sls

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// route carries requests over a transport. It gives up the connections when one may be silent:
// a firewall forgot it, or the machine at its end is gone, and no error says so. With HTTP/2 the
// next request would use the same connection until the operating system gives up; with HTTP/1.1 it
// would use another idle connection, which may be silent too.
type route struct {
	transport http.RoundTripper
	http2     atomic.Bool // the newest answer came over HTTP/2
	silent    atomic.Bool // over HTTP/2 the last request got no answer in time
}

// RoundTrip changes the request, which is the client's own.
func (r *route) RoundTrip(q *http.Request) (*http.Response, error) {
	// CloseIdleConnections does not close an HTTP/2 connection with requests under way. Close
	// makes this request the last one on it, so that the next request gets a new connection.
	q.Close = r.silent.Swap(false)
	var reused atomic.Bool // a new connection is slow, not silent
	q = q.WithContext(httptrace.WithClientTrace(q.Context(), &httptrace.ClientTrace{
		GotConn: func(c httptrace.GotConnInfo) { reused.Store(c.Reused) },
	}))
	resp, err := r.transport.RoundTrip(q)
	if err == nil {
		r.http2.Store(resp.ProtoMajor == 2)
		return resp, nil
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() && reused.Load() {
		r.silent.Store(r.http2.Load())
		if t, ok := r.transport.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
	return nil, err
}
