package slslog_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
)

var (
	errRefused = errors.New("connection refused")
	errBroken  = errors.New("connection reset by peer")
)

// peerLine is a worker's network, without sockets: it hands each request to the server
// of the moment, on a goroutine of its own, so that all live in one bubble of fake time.
type peerLine struct {
	world  *peers
	member string

	mu sync.Mutex // guards the fields below
	// fault may do something else in place of a call: it returns nil, nil for none.
	fault func(r *http.Request) (*http.Response, error)
	// change may change an answer on its way.
	change func(r *http.Request, resp *http.Response)
}

// setChange replaces what changes the answers; nil leaves them as they are.
func (l *peerLine) setChange(f func(*http.Request, *http.Response)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.change = f
}

// setFault replaces the line's fault; nil mends the line.
func (l *peerLine) setFault(f func(*http.Request) (*http.Response, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
}

// swallow is a fault: nothing comes back, as from a network that drops all packets.
func swallow(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, context.Cause(r.Context())
}

func (l *peerLine) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	call := newPeerCall(l.member, r, body)
	l.mu.Lock()
	fault, change := l.fault, l.change
	l.mu.Unlock()
	if fault != nil {
		if resp, err := fault(r); resp != nil || err != nil {
			l.world.observe(call)
			return resp, err
		}
	}
	server := l.world.server()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if server == nil {
		l.world.observe(call)
		return nil, errRefused
	}
	in := r.Clone(r.Context()) // the handler is told when the client goes, as a server tells it
	in.Body, in.RequestURI, in.RemoteAddr = io.NopCloser(bytes.NewReader(body)), r.URL.RequestURI(), "127.0.0.1:1"
	a := &peerAnswer{header: http.Header{}}
	done := make(chan error, 1)
	before := l.world.owner(call)
	go func() {
		err := a.serve(server, in)
		call.status, call.foreign = a.status, call.kind == "checkpoint" && before != l.member && l.world.owner(call) != l.member
		l.world.observe(call)
		done <- err
	}()
	select {
	case err := <-done:
		resp, err := a.response(r, err)
		if err == nil && change != nil {
			change(r, resp)
		}
		return resp, err
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

// peerAnswer is what a handler writes.
type peerAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *peerAnswer) Header() http.Header { return a.header }

func (a *peerAnswer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *peerAnswer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// serve calls the handler. Its error is that of a connection which the handler broke.
func (a *peerAnswer) serve(h http.Handler, r *http.Request) (err error) {
	defer func() {
		if v := recover(); v == http.ErrAbortHandler { //nolint:errorlint // it is this very value
			err = errBroken
		} else if v != nil {
			panic(v)
		}
	}()
	h.ServeHTTP(a, r)
	a.WriteHeader(http.StatusOK)
	return nil
}

// response is the answer as the client sees it: none at all if it broke off before its
// status, and a body that breaks off after that.
func (a *peerAnswer) response(r *http.Request, broken error) (*http.Response, error) {
	if a.status == 0 {
		return nil, broken
	}
	var body io.Reader = &a.body
	if broken != nil {
		body = io.MultiReader(body, failing{broken})
	}
	length, err := strconv.ParseInt(a.header.Get("Content-Length"), 10, 64)
	if err != nil {
		length = -1
	}
	return &http.Response{
		Status: strconv.Itoa(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: io.NopCloser(body), ContentLength: length, Request: r,
	}, nil
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
