package sls

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// route carries requests over a transport, and gives up its connections when one of them
// may have gone silent: a firewall forgot it, or a machine is gone. Nothing tells. With
// HTTP/2 the next request would go the same way, for as long as the system repeats what
// is lost; with HTTP/1.1 it would take another connection, which may be as dead.
type route struct {
	transport http.RoundTripper
	http2     atomic.Bool // the newest answer came by it
	silent    atomic.Bool // a request got no answer in time, and none was sent since
}

// RoundTrip changes the request, which is the client's own.
func (r *route) RoundTrip(q *http.Request) (*http.Response, error) {
	// A request that says Close is the last one on its connection, even if others wait
	// there, which keeps it from being idle. If it gets no answer either, the next one
	// has a new connection.
	q.Close = r.silent.Swap(false)
	var reused atomic.Bool // a new connection that is slow is no silent one
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
