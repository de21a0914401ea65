package slsserver

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The bounds of a request. The longest parameters are those with a filter query.
const (
	maxJSONBytes  = 1 << 20  // bytes of a body, except for PutLogs; enough for 100,000 shards
	maxTarget     = 16 << 10 // bytes of the path; the parameters may have as many
	maxParameters = 32
)

// parseParameters parses a query. It refuses a repeated parameter, because V1 and V4 signatures
// disagree about which of its values counts.
func parseParameters(raw string) (url.Values, error) {
	if len(raw) > maxTarget || strings.Count(raw, "&") >= maxParameters {
		return nil, badParameter("the parameters are more than %d or have more than %d bytes", maxParameters, maxTarget)
	}
	q, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badParameter("bad query")
	}
	for name, values := range q {
		if len(values) > 1 {
			return nil, badParameter("the parameter %q is repeated", name)
		}
	}
	return q, nil
}

// firstBytes is the most memory that a body gets before its first byte arrives.
const firstBytes = 64 << 10

func (s *Server) readBody(c *call) error {
	limit := maxJSONBytes
	if c.op == opPut {
		limit = s.cfg.MaxPutBytes
	}
	n := c.r.ContentLength
	if n == 0 || c.r.Body == nil {
		return nil
	}
	tooLarge := fail(413, "PostBodyTooLarge", "the body is larger than %d bytes", limit)
	if n > int64(limit) {
		return tooLarge
	}
	c.read = true
	body := http.MaxBytesReader(c.w, c.r.Body, int64(limit))
	var err error
	if n > 0 && n <= firstBytes {
		c.body = slices.Grow([]byte(nil), int(n))[:n] // the capacity is the memory taken; entry.cost counts it
		_, err = io.ReadFull(body, c.body)
	} else { // allocate for what arrives, not for what the client announces
		b := bytes.NewBuffer(make([]byte, 0, firstBytes))
		_, err = b.ReadFrom(body)
		c.body = b.Bytes()
	}
	var over *http.MaxBytesError
	switch {
	case errors.As(err, &over):
		return tooLarge
	case err != nil:
		return fail(400, "PostBodyInvalid", "the body could not be read")
	}
	return nil
}

// mediaType checks the content type of a body.
func (c *call) mediaType(want string) error {
	got, _, _ := strings.Cut(c.r.Header.Get("Content-Type"), ";")
	switch strings.ToLower(strings.TrimSpace(got)) {
	case want:
		return nil
	case "":
		return fail(400, "MissingContentType", "the body has no content type")
	}
	return fail(415, "InvalidContentType", "the content type is not %s", want)
}
