package sls

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// route sends requests over a transport. When a request times out on a used connection, route stops
// using that connection and closes the idle ones. A firewall may have dropped all of them, or the
// other machine may have failed, without an error on this side. If route did nothing, the next
// request could time out too. Over HTTP/2 it would use the same connection, over HTTP/1.1 another
// idle one.
type route struct {
	transport http.RoundTripper
	http2     atomic.Bool // the newest answer came over HTTP/2
	timedOut  atomic.Bool // the last request timed out over HTTP/2
}

// RoundTrip changes the request, although http.RoundTripper forbids it. That is safe, because only
// the client uses the request.
func (r *route) RoundTrip(q *http.Request) (*http.Response, error) {
	// CloseIdleConnections does not close an HTTP/2 connection that other requests use. Close makes
	// this request the last one on its connection, so the next request gets a new one.
	q.Close = r.timedOut.Swap(false)
	var reused atomic.Bool // a new connection may be slow, but it is not broken
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
		r.timedOut.Store(r.http2.Load())
		if t, ok := r.transport.(interface{ CloseIdleConnections() }); ok {
			t.CloseIdleConnections()
		}
	}
	return nil, err
}
