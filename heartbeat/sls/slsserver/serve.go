package slsserver

import (
	"errors"
	"net/http"
	"net/url"
	"runtime/debug"

	"go.uber.org/zap"
)

// call is one request while the server handles it.
type call struct {
	route
	w     http.ResponseWriter
	r     *http.Request
	query url.Values
	only  []string // the projects that the key may use; nil: all
	body  []byte
	cut   bool // break the connection in the middle of the answer

	isBody func(http.Header, []byte) bool // reports whether a body has the signed hash; nil without keys
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
				panic(p) // net/http then closes the connection
			}
			s.log.Error("a request made the server panic", zap.String("request", id), zap.Any("panic", p),
				zap.ByteString("stack", debug.Stack()))
			s.refuse(c, fail(500, "InternalServerError", "internal error"))
		}
	}()
	if err := s.serve(c); err != nil {
		if !c.read && r.ContentLength != 0 {
			h["Connection"] = []string{"close"} // so that net/http does not read the body
		}
		s.refuse(c, err)
	}
}

// serve checks the headers of browsers, the host, the parameters, the path, the signature and the
// body, in this order. Then it applies the faults and runs the operation.
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
	// A request counts only after its body has arrived. Otherwise a few slow connections could take
	// all of Config.MaxInFlight.
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

// fromPage refuses requests of web pages, if the server has no keys. Otherwise any page that a
// developer visits could change the server on the developer's machine. Only browsers send these
// headers.
func (s *Server) fromPage(h http.Header) error {
	site := h.Get("Sec-Fetch-Site")
	if len(*s.keys.Load()) == 0 && (h.Get("Origin") != "" || site == "cross-site" || site == "same-site") {
		return fail(403, "Unauthorized", "requests of web pages are not served without keys")
	}
	return nil
}

func (c *call) logstoreOf(s *Server) (*logstore, error) { return s.findLogstore(c.project, c.logstore) }

// groupOf finds the group that the path names.
func (c *call) groupOf(s *Server) (*logstore, *consumerGroup, error) {
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
