package sls

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

const (
	typeJSON     = "application/json"
	typeProtobuf = "application/x-protobuf"
)

// call is one request to the service.
type call struct {
	op     string
	method string
	path   string  // needs no escape: it is made of names that validName let pass
	query  []param // sorted by key
	body   []byte
	typ    string // of the body
	rawLen int    // of the body before it was compressed, if it was; zero for JSON
	comp   string // how it was compressed
	accept string // Accept-Encoding of a pull
	via    http.RoundTripper
}

// send makes a call and passes the service's own answer of status 200 to read, which may
// return before the body's end. A call whose credentials are refused is repeated once, if
// there are others.
func (c *Client) send(ctx context.Context, q *call, read func(*http.Response) error) error {
	if err := ctx.Err(); err != nil {
		return newTransportError(q.op, err, Credentials{})
	}
	if c.background.closed() {
		return usage(q.op, "%v", errClosed)
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.RequestTimeout)
	defer cancel()
	var cred Credentials
	if c.keys != nil {
		var err error
		if cred, err = c.keys.get(ctx); err != nil {
			return err
		}
	}
	err := c.locate(c.attempt(ctx, q, cred, read))
	if !c.refused(q.op, err) || c.keys == nil || c.keys.fixed {
		return err
	}
	cred, changed, renewErr := c.keys.renew(ctx, cred)
	switch {
	case renewErr != nil:
		return fmt.Errorf("%w; %w", err, renewErr)
	case !changed:
		return err
	}
	err = c.locate(c.attempt(ctx, q, cred, read))
	c.refused(q.op, err)
	return err
}

// locate has the error of a request that got no answer name the service's address: which
// one cannot be reached is what its reader asks first.
func (c *Client) locate(err error) error {
	var e *TransportError
	if errors.As(err, &e) {
		e.at = c.endpoint.scheme + "://" + c.endpoint.dial
	}
	return err
}

// refused reports whether the service refused the credentials of a call, and notes in the
// error whether that may pass. It may with a provider that can have others later; and if
// the service took credentials for the same call before, so that something has changed and
// can change back.
func (c *Client) refused(op string, err error) bool {
	var e *Error
	switch {
	case err == nil:
		c.served.LoadOrStore(op, true)
		return false
	case !errors.As(err, &e) || e.class != classUnauthorized:
		return false
	}
	_, served := c.served.Load(op)
	e.passes = served || c.keys != nil && !c.keys.final
	return true
}

// attempt sends one request. It goes to the transport and not to an http.Client: on
// this level nothing follows a redirect, which would take the security token to
// wherever it points.
func (c *Client) attempt(ctx context.Context, q *call, cred Credentials, read func(*http.Response) error) error {
	via := q.via
	if via == nil {
		via = c.data
	}
	var conn connecting
	traced := ctx
	if q.op != opPull { // those are many, and all others say the same
		traced = conn.trace(ctx)
	}
	sent := time.Now()
	resp, err := via.RoundTrip(c.request(traced, q, cred))
	if err != nil {
		if ctxErr := ctx.Err(); ctxErr != nil && !errors.Is(err, ctxErr) {
			err = errors.Join(err, ctxErr)
		}
		e := newTransportError(q.op, err, cred)
		e.unconnected = conn.waits()
		return e
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		_ = resp.Body.Close() // it is the connection, which no context ends
		resp.Body = http.NoBody
	}
	defer drain(resp.Body)
	if !fromService(resp) {
		return foreign(q.op, resp, cred)
	}
	received := time.Now()
	if resp.StatusCode == http.StatusOK {
		err = read(resp)
	} else {
		err = refusal(q.op, resp, cred)
	}
	if refused := (*Error)(nil); err == nil || errors.As(err, &refused) {
		c.observeClock(sent, received, resp.Header) // a page may have the Date of another answer
	}
	var broken *bodyError
	if errors.As(err, &broken) {
		return newTransportError(q.op, broken.err, cred)
	}
	var page *pageError
	if errors.As(err, &page) {
		return foreignPage(q.op, resp, page.body, cred)
	}
	var senseless *ResponseError
	if errors.As(err, &senseless) {
		senseless.Reason = bounded(scrub(senseless.Reason, cred), maxMessage)
		senseless.RequestID = requestID(resp, cred)
	}
	return err
}
