package sls

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

const (
	maxAnswer = 4 << 20  // bytes of a JSON answer; a thousand shards have 200 KiB
	maxDrain  = 64 << 10 // bytes that are read to keep a connection; it is closed if there are more
)

// drain reads a body to its end, so that its connection can be used again, unless that
// takes too long; and always closes it.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxDrain)
	_ = body.Close()
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
