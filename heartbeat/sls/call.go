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
	path   string  // needs no escape: validName accepts only names that need none
	query  []param // sorted by key
	body   []byte
	typ    string // of the body
	rawLen int    // length of the body before compression; zero for JSON
	comp   string // compression of the body; empty: none
	accept string // Accept-Encoding of a pull
	via    http.RoundTripper
}

// send makes a call. It passes the service's answer to read if the status is 200; read need not
// read the whole body. If the service refuses the credentials and the provider has others, send
// repeats the call once.
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
	err := c.addAddress(c.attempt(ctx, q, cred, read))
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
	err = c.addAddress(c.attempt(ctx, q, cred, read))
	c.refused(q.op, err)
	return err
}

// addAddress adds the service's address to a *TransportError.
func (c *Client) addAddress(err error) error {
	var e *TransportError
	if errors.As(err, &e) {
		e.at = c.endpoint.scheme + "://" + c.endpoint.dial
	}
	return err
}

// refused reports whether the service refused the credentials of a call. It also records in the
// error whether a retry may succeed. A retry may succeed if the provider may return other
// credentials later. It may also succeed if the same operation succeeded before: whatever changed
// since then, a right for instance, can change back.
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
	e.mayPass = served || c.keys != nil && !c.keys.final
	return true
}

// attempt sends one request. It does not use an http.Client, because that would follow a redirect
// and send the security token to another host.
func (c *Client) attempt(ctx context.Context, q *call, cred Credentials, read func(*http.Response) error) error {
	via := q.via
	if via == nil {
		via = c.data
	}
	var conn connecting
	traced := ctx
	if q.op != opPull { // a trace would slow pulls down; the errors of other operations also show a lost connection
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
		_ = resp.Body.Close() // after status 101 the body is the connection itself; the end of a context does not close it
		resp.Body = http.NoBody
	}
	defer drain(resp.Body)
	if !fromService(resp) {
		return readForeign(q.op, resp, cred)
	}
	received := time.Now()
	if resp.StatusCode == http.StatusOK {
		err = read(resp)
	} else {
		err = refusal(q.op, resp, cred)
	}
	if refused := (*Error)(nil); err == nil || errors.As(err, &refused) {
		c.observeClock(sent, received, resp.Header) // a foreign answer may have an old Date
	}
	var broken *bodyError
	if errors.As(err, &broken) {
		return newTransportError(q.op, broken.err, cred)
	}
	var foreign *foreignBodyError
	if errors.As(err, &foreign) {
		return foreignAnswer(q.op, resp, foreign.body, cred)
	}
	var unusable *ResponseError
	if errors.As(err, &unusable) {
		unusable.Reason = bounded(scrub(unusable.Reason, cred), maxMessage)
		unusable.RequestID = requestID(resp, cred)
	}
	return err
}
