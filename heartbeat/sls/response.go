package sls

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

const (
	maxAnswer = 4 << 20  // bytes of a JSON answer; a thousand shards have 200 KiB
	maxDrain  = 64 << 10 // bytes to read in order to keep a connection
)

// drain closes a body. It reads up to maxDrain bytes of it first, so that the connection can be
// used again.
func drain(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, maxDrain)
	_ = body.Close()
}

// refusal reads an answer with a status other than 200. If the body is not the service's JSON
// error, the answer is a foreign one, even if it has a request ID: a gateway may have replaced the
// body.
func refusal(op string, resp *http.Response, cred Credentials) error {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxDrain))
	if err != nil {
		return newTransportError(op, err, cred)
	}
	var said struct {
		Code    string `json:"errorCode"`
		Message any    `json:"errorMessage"` // of any type, so that a bad one does not hide the code
	}
	if json.Unmarshal(body, &said) != nil || said.Code == "" {
		return foreignAnswer(op, resp, body, cred)
	}
	message, _ := said.Message.(string)
	e := &Error{
		Op: op, HTTPStatus: resp.StatusCode, RequestID: requestID(resp, cred),
		Code: bounded(scrub(said.Code, cred), maxCode), Message: bounded(scrub(message, cred), maxMessage),
	}
	// classify needs the code before scrub, which may remove a part of it that equals a short
	// secret.
	e.class = classify(op, e.HTTPStatus, said.Code)
	e.after = pause(e.class, resp.Header.Get(headerRetryAfter), time.Now())
	return e
}

func requestID(resp *http.Response, cred Credentials) string {
	return bounded(scrub(resp.Header.Get(headerRequestID), cred), 64)
}

// bodyError means that the connection broke before the end of the body.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return e.err.Error() }

// foreignBodyError means that a gateway replaced the body of the service's answer, and kept its
// headers.
type foreignBodyError struct{ body []byte }

func (e *foreignBodyError) Error() string { return "it is not JSON" }

// noResult reads the answer to a call without a result: no body, or JSON that is not an error. Any
// other body, or one that breaks off, does not prove that the service carried out the call.
func noResult(resp *http.Response) error {
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
		return &foreignBodyError{body: body}
	}
	return nil
}

// readJSON returns a function that reads a whole body and passes it to parse.
func readJSON(op string, parse func([]byte) error) func(*http.Response) error {
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
				return &foreignBodyError{body: body}
			}
			return &ResponseError{Op: op, Reason: err.Error()}
		}
		return nil
	}
}

// likeJSON reports whether a body is JSON, or begins like an array or an object.
func likeJSON(body []byte) bool {
	return len(body) == 0 || body[0] == '[' || body[0] == '{' || json.Valid(body)
}
