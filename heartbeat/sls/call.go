package sls

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	maxAnswer = 4 << 20  // bytes of a JSON answer; a thousand shards have 200 KiB
	maxDrain  = 64 << 10 // bytes that are read to keep a connection; it is closed if there are more

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

// drain reads a body to its end, so that its connection can be used again, unless that
// takes too long; and always closes it.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxDrain)
	_ = body.Close()
}

func (c *Client) request(ctx context.Context, q *call, cred Credentials) *http.Request {
	h := make(http.Header, 12)
	h[headerAPIVersion] = []string{apiVersion}
	h[headerBodyRawSize] = []string{strconv.Itoa(q.rawLen)}
	h[headerUserAgent] = []string{c.userAgent}
	if len(q.body) > 0 {
		h[headerContentType] = []string{q.typ}
	}
	if q.comp != "" {
		h[headerCompressType] = []string{q.comp}
	}
	if q.accept != "" {
		h[headerAccept] = []string{typeProtobuf}
		h[headerAcceptEncoding] = []string{q.accept}
	}
	c.sign(q, cred, h)
	r := &http.Request{
		Method: q.method,
		URL:    &url.URL{Scheme: c.endpoint.scheme, Host: c.endpoint.dial, Path: q.path, RawQuery: encode(q.query)},
		Host:   c.endpoint.host,
		Header: h,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if len(q.body) > 0 {
		r.ContentLength = int64(len(q.body))
		r.Body = io.NopCloser(bytes.NewReader(q.body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(q.body)), nil }
	}
	return r.WithContext(ctx)
}

// sign adds the headers of the signature. Without credentials there is only a date.
func (c *Client) sign(q *call, cred Credentials, h http.Header) {
	now := time.Now()
	if c.keys == nil {
		h[headerDate] = []string{now.UTC().Format(http.TimeFormat)}
		return
	}
	if !cred.SecurityToken.Empty() {
		h[headerSecurityToken] = []string{cred.SecurityToken.Reveal()}
	}
	secret := cred.AccessKeySecret.Reveal()
	if c.cfg.Signature == V4 {
		prepareV4(h, q.body, now)
		h[headerAuthorization] = []string{
			signV4(cred.AccessKeyID, secret, c.cfg.Region, q.method, c.endpoint.host, q.path, q.query, h),
		}
		return
	}
	prepareV1(h, q.body, now)
	h[headerAuthorization] = []string{signV1(cred.AccessKeyID, secret, q.method, q.path, q.query, h)}
}

func encode(query []param) string {
	var b strings.Builder
	for i, p := range query {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.key)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.value))
	}
	return b.String()
}

// refusal reads an answer other than 200. One without the service's JSON error is not the
// service's, although it has a request id: a gateway may have put its own page in its
// place.
func refusal(op string, resp *http.Response, cred Credentials) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDrain))
	if err != nil {
		return newTransportError(op, err, cred)
	}
	var said struct {
		Code    string `json:"errorCode"`
		Message any    `json:"errorMessage"` // an odd one is no reason to lose the code
	}
	if json.Unmarshal(body, &said) != nil || said.Code == "" {
		return foreignPage(op, resp, body, cred)
	}
	message, _ := said.Message.(string)
	e := &Error{
		Op: op, HTTPStatus: resp.StatusCode, RequestID: requestID(resp, cred),
		Code: bounded(scrub(said.Code, cred), maxCode), Message: bounded(scrub(message, cred), maxMessage),
	}
	// By what was said, not by what is left of it: a short secret may be a part of a code.
	e.class = classify(op, e.HTTPStatus, said.Code)
	e.after = pause(e.class, resp.Header.Get(headerRetryAfter), time.Now())
	return e
}

func requestID(resp *http.Response, cred Credentials) string {
	return bounded(scrub(resp.Header.Get(headerRequestID), cred), 64)
}

// bodyError is a body that broke off while it was read.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }

// pageError is a body that the service does not write: somebody put a page of its own
// under the service's headers.
type pageError struct{ body []byte }

func (e *pageError) Error() string { return "it is not JSON" }

// nothing is for calls whose answers say nothing: they have no body, or some JSON that is
// no error. With any other body, and with one that breaks off, nobody said that the call
// was carried out.
func nothing(resp *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDrain))
	if err != nil {
		return &bodyError{err: err}
	}
	if body = trimJSON(body); len(body) == 0 {
		return nil
	}
	var said struct {
		Code json.RawMessage `json:"errorCode"`
	}
	if _ = json.Unmarshal(body, &said); said.Code != nil || !json.Valid(body) {
		return &pageError{body: body}
	}
	return nil
}

// intoJSON reads a whole body and passes it to parse.
func intoJSON(op string, parse func([]byte) error) func(*http.Response) error {
	return func(resp *http.Response) error {
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
		switch {
		case err != nil:
			return &bodyError{err: err}
		case len(body) > maxAnswer:
			return &ResponseError{Op: op, Reason: "it is longer than 4 MiB"}
		}
		if err := parse(body); err != nil {
			if !likeJSON(trimJSON(body)) {
				return &pageError{body: body}
			}
			return &ResponseError{Op: op, Reason: err.Error()}
		}
		return nil
	}
}

// likeJSON reports whether a body is JSON, or an array or an object that is broken.
func likeJSON(body []byte) bool {
	return len(body) == 0 || body[0] == '[' || body[0] == '{' || json.Valid(body)
}
