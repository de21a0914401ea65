package slsserver

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"go.uber.org/zap"
)

// maxJSONBytes bounds the bodies of all operations but PutLogs. A heartbeat may list
// a hundred thousand shards.
const maxJSONBytes = 1 << 20

// call is one request on its way through the server.
type call struct {
	route
	w     http.ResponseWriter
	r     *http.Request
	query url.Values
	only  []string // the projects that the key may use; nil: all
	body  []byte
	cut   bool // break the connection in the middle of the answer

	isBody func(http.Header, []byte) bool // whether a body is the signed one; nil: nothing is signed
	read   bool                           // the body was read
}

// ServeHTTP serves one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	id := s.ids.next()
	h["X-Log-Requestid"] = []string{id}
	h["Date"] = []string{s.cfg.Clock().UTC().Format(http.TimeFormat)}
	c := &call{w: w, r: r}
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				panic(p) // that is how a connection is cut
			}
			s.log.Error("a request made the server panic", zap.String("request", id), zap.Any("panic", p),
				zap.ByteString("stack", debug.Stack()))
			s.refuse(c, fail(500, "InternalServerError", "internal error"))
		}
	}()
	if err := s.serve(c); err != nil {
		if !c.read && r.ContentLength != 0 {
			h["Connection"] = []string{"close"} // rather than read what nobody wants
		}
		s.refuse(c, err)
	}
}

// serve looks at a request from the outside in: what it asks for, who sent it, what it
// brings, and only then what there is.
func (s *Server) serve(c *call) error {
	if s.isClosed() {
		return errClosed
	}
	if err := s.fromPage(c.r.Header); err != nil {
		return err
	}
	if err := s.knownHost(c.r.Host); err != nil {
		return err
	}
	var err error
	if c.query, err = parseParameters(c.r.URL.RawQuery); err != nil {
		return err
	}
	if c.route, err = s.findRoute(c.r, c.query); err != nil {
		return err
	}
	s.counts[c.op].Add(1)
	if err := s.authenticate(c); err != nil {
		return err
	}
	if err := s.readBody(c); err != nil {
		return err
	}
	// From here on it is at work. Who sends slowly is not, or a few such connections
	// would keep everybody out.
	defer s.inFlight.Add(-1)
	if s.inFlight.Add(1) > int64(s.cfg.MaxInFlight) {
		return busy("too many requests")
	}
	if err := c.verifyBody(); err != nil {
		return err
	}
	if err := s.faults.apply(c); err != nil {
		return err
	}
	return handlers[c.op](s, c)
}

// fromPage refuses what a web page sends, while nobody has to sign: any page that a
// developer visits could otherwise change the server on his machine. Browsers say so,
// and nobody else does.
func (s *Server) fromPage(h http.Header) error {
	site := h.Get("Sec-Fetch-Site")
	if len(*s.keys.Load()) == 0 && (h.Get("Origin") != "" || site == "cross-site" || site == "same-site") {
		return fail(403, "Unauthorized", "requests of web pages are not served without keys")
	}
	return nil
}

// The longest requests are those with a query to filter by.
const (
	maxTarget     = 16 << 10 // bytes of a path, and of its parameters
	maxParameters = 32
)

// parseParameters parses a query. A repeated parameter is refused: the two signatures
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

// firstBytes is the memory that a body gets before any of it has come.
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
		c.body = slices.Grow([]byte(nil), int(n))[:n] // whose capacity is the memory that it takes
		_, err = io.ReadFull(body, c.body)
	} else { // as it comes: what is announced takes no memory yet
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

func (c *call) logstoreOf(s *Server) (*logstore, error) { return s.findLogstore(c.project, c.logstore) }

// groupOf finds the group that the path names.
func (c *call) groupOf(s *Server) (*logstore, *consumers, error) {
	ls, err := c.logstoreOf(s)
	if err != nil {
		return nil, nil, err
	}
	g := ls.group(c.group)
	if g == nil {
		return nil, nil, noGroup()
	}
	return ls, g, nil
}

// reply sends an answer of a kind: 200, unless an error says otherwise.
func (c *call) reply(contentType string, body []byte) error {
	c.send(http.StatusOK, contentType, body)
	return nil
}

func (c *call) replyJSON(v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return c.reply("application/json", body)
}

func (c *call) send(status int, contentType string, body []byte) {
	h := c.w.Header()
	if contentType != "" {
		h["Content-Type"] = []string{contentType}
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if c.cut && len(body) == 0 {
		panic(http.ErrAbortHandler)
	}
	c.w.WriteHeader(status)
	if c.cut {
		_, _ = c.w.Write(body[:len(body)/2])
		_ = http.NewResponseController(c.w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = c.w.Write(body) // a client that is gone needs no answer
}

// refuse answers with an error. What is not meant for clients is logged instead.
func (s *Server) refuse(c *call, err error) {
	var e *apiError
	if !errors.As(err, &e) {
		if c.r.Context().Err() == nil || !errors.Is(err, context.Canceled) {
			s.log.Error("a request failed", zap.String("op", c.op), zap.Error(err))
		}
		e = fail(500, "InternalServerError", "internal error")
	}
	code := e.code
	if s.cfg.MisspeltCodes && misspelt[code] != "" {
		code = misspelt[code]
	}
	body, _ := json.Marshal(struct {
		Code    string `json:"errorCode"`
		Message string `json:"errorMessage"`
	}{code, e.message})
	s.log.Debug("refused", zap.String("op", c.op), zap.Int("status", e.status), zap.String("code", code),
		zap.String("path", strconv.Quote(excerpt(c.r.URL.Path, maxShown))), zap.String("why", strconv.Quote(e.message)))
	c.send(e.status, "application/json", body)
}

// requestIDs makes the 24 hexadecimal digits of x-log-requestid: those of the process
// and a count.
type requestIDs struct {
	process [6]byte
	count   atomic.Uint64
}

func (ids *requestIDs) init() { _, _ = rand.Read(ids.process[:]) }

func (ids *requestIDs) next() string {
	var raw [14]byte
	copy(raw[:6], ids.process[:])
	binary.BigEndian.PutUint64(raw[6:], ids.count.Add(1)<<16)
	const digits = "0123456789ABCDEF"
	var out [24]byte
	hex.Encode(out[:], raw[:12])
	for i, b := range out {
		if b >= 'a' {
			out[i] = digits[b-'a'+10]
		}
	}
	return string(out[:])
}
