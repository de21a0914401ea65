package sls_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// line is a network without one: it hands each request to a handler, on a goroutine of
// its own as a server does, so that client and server live in one bubble of fake time.
type line struct{ handler http.Handler }

func (l line) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
	}
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	in := r.Clone(r.Context()) // its context ends when the client goes, as with a server
	in.Body, in.RequestURI, in.RemoteAddr = io.NopCloser(bytes.NewReader(body)), r.URL.RequestURI(), "127.0.0.1:1"
	a := &answer{header: http.Header{}}
	done := make(chan error, 1)
	go func() { done <- a.serve(l.handler, in) }()
	select {
	case err := <-done:
		return a.response(r, err)
	case <-r.Context().Done():
		return nil, context.Cause(r.Context())
	}
}

// answer is what a handler writes.
type answer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(p []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	return a.body.Write(p)
}

// serve calls the handler. Its error is that of a connection which the handler broke.
func (a *answer) serve(h http.Handler, r *http.Request) (err error) {
	defer func() {
		if v := recover(); v == http.ErrAbortHandler { //nolint:errorlint // it is this very value
			err = io.ErrUnexpectedEOF
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
func (a *answer) response(r *http.Request, broken error) (*http.Response, error) {
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
