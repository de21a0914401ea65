package slsserver

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync/atomic"

	"go.uber.org/zap"
)

// reply sends an answer with status 200.
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
	_, _ = c.w.Write(body) // an error means that the client has gone
}

// refuse sends an error. For an error that is not an *apiError it sends 500 InternalServerError,
// and logs the error, unless the client has gone.
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

// requestIDs makes values of x-log-requestid, 24 hexadecimal digits: twelve random ones for the
// process, and twelve for a count.
type requestIDs struct {
	process [6]byte
	count   atomic.Uint64
}

func (ids *requestIDs) init() { _, _ = rand.Read(ids.process[:]) }

func (ids *requestIDs) next() string { return fmt.Sprintf("%X%012X", ids.process[:], ids.count.Add(1)) }
