package sls

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxRaw bounds a page before compression. The service's own bound is not documented; the official
// clients expect about 20 MB at most.
const maxRaw = 64 << 20

// The headers of a page.
const (
	headerCursor         = "X-Log-Cursor"
	headerCount          = "X-Log-Count"
	headerCursorTime     = "X-Log-Cursor-Time"
	headerReadLastCursor = "X-Log-Read-Last-Cursor"
	headerEndOfCursor    = "X-Log-End-Of-Cursor"
	headerRawDataSize    = "X-Log-Rawdatasize"
	headerRawDataCount   = "X-Log-Rawdatacount"
	headerRawDataLines   = "X-Log-Rawdatalines"
	headerResultLines    = "X-Log-Resultlines"
	headerFailedLines    = "X-Log-Failedlines"
)

// Page is one answer to a pull.
type Page struct {
	// Next is the cursor of the next page, and the position to commit when this page is
	// acknowledged. It is never before the request's cursor. At the end of a shard it is the
	// request's cursor. If there was data it is after the request's cursor, even if a query
	// filtered out all of the data.
	Next string
	// Count is the number of log groups in Body.
	Count int
	// RawSize is the exact length of Body after decompression.
	RawSize int
	// Compression is the compression of Body.
	Compression Compression
	// Body is a LogGroupList in protobuf, still compressed; nil if RawSize is zero. It is in
	// the request's Buffer if it fits there.
	Body []byte

	// CursorTime is when the service received the data at Next. Zero means that the service does
	// not say.
	CursorTime time.Time
	// EndOfCursor means that the page reaches the end of the shard or EndCursor. False proves
	// nothing, because the service does not document when it sends true.
	EndOfCursor bool
	// RequestID is the service's ID of this request.
	RequestID string

	// What a PullRequest.Query or Processor did; zero without one.
	RawDataSize  int // bytes read
	RawDataCount int // log groups read
	RawDataLines int // logs read
	ResultLines  int // logs returned
	FailedLines  int // logs that the query failed on

	readLast    int64
	hasReadLast bool
}

// ReadLastCursor returns the number of the last log group of the page, and false if the service
// does not say. Without a query the log groups of a page have consecutive numbers.
func (p *Page) ReadLastCursor() (int64, bool) { return p.readLast, p.hasReadLast }

// PageSizeError is the cause of a *ResponseError: the headers announce a page that is larger than
// the client accepts. A pull with a smaller Count may return a page that fits.
type PageSizeError struct {
	Count   int // log groups in it
	RawSize int // its size in bytes before compression
	Max     int // the most bytes that the client accepts
}

func (e *PageSizeError) Error() string {
	return fmt.Sprintf("its %d log groups have %d bytes; the client accepts at most %d", e.Count, e.RawSize, e.Max)
}

// readPage reads an answer of status 200 to a pull at a cursor.
func readPage(resp *http.Response, cursor string, buffer []byte) (Page, error) {
	p, err := parsePage(resp.Header)
	if err == nil {
		err = p.checkNext(cursor)
	}
	if err != nil {
		return p, &ResponseError{Op: opPull, Reason: err.Error(), cause: err}
	}
	if p.RawSize == 0 {
		return p, nil // attempt drains the body
	}
	limit := p.RawSize
	if p.Compression != None {
		limit += p.RawSize/128 + 1024 // lz4 and zstd add at most this to data that they cannot compress
	}
	p.Body, err = readBody(resp, buffer, limit)
	switch {
	case errors.Is(err, errTooLong):
		return p, &ResponseError{Op: opPull, Reason: "its body is longer than its announced size"}
	case err != nil:
		return p, &bodyError{err: err}
	case len(p.Body) == 0, p.Compression == None && len(p.Body) != p.RawSize:
		return p, &ResponseError{Op: opPull, Reason: "its body is shorter than its announced size"}
	}
	return p, nil
}

// parsePage reads the headers of a page.
func parsePage(h http.Header) (p Page, err error) {
	p.RequestID = bounded(h.Get(headerRequestID), 64)
	p.Next = h.Get(headerCursor)
	if p.Count, err = number(h, headerCount, MaxCount); err != nil {
		return p, err
	}
	if p.RawSize, err = number(h, headerBodyRawSize, math.MaxInt32); err != nil {
		return p, err
	}
	// An empty log group takes two bytes in its list.
	if p.RawSize < 2*p.Count || p.Count == 0 && p.RawSize > 0 {
		return p, errors.New(strconv.Itoa(p.Count) + " log groups do not have " + strconv.Itoa(p.RawSize) + " bytes")
	}
	if p.RawSize > maxRaw {
		return p, &PageSizeError{Count: p.Count, RawSize: p.RawSize, Max: maxRaw}
	}
	if p.Compression, err = parseCompression(h.Get(headerCompressType)); err != nil {
		return p, err
	}
	p.CursorTime = unixTime(optional(h, headerCursorTime))
	p.EndOfCursor = h.Get(headerEndOfCursor) == "1"
	p.readLast, err = strconv.ParseInt(h.Get(headerReadLastCursor), 10, 64)
	p.hasReadLast = err == nil
	p.RawDataSize = int(optional(h, headerRawDataSize))
	p.RawDataCount = int(optional(h, headerRawDataCount))
	p.RawDataLines = int(optional(h, headerRawDataLines))
	p.ResultLines = int(optional(h, headerResultLines))
	p.FailedLines = int(optional(h, headerFailedLines))
	return p, nil
}

// checkNext checks that the next cursor is not before the request's. Otherwise the worker would
// process the same data again.
func (p *Page) checkNext(cursor string) error {
	if p.Next == "" && p.Count == 0 {
		p.Next = cursor // as the official clients do
		return nil
	}
	if !validCursor(p.Next) {
		return errors.New("it has no valid next cursor")
	}
	from, known := CursorNumber(cursor)
	to, alsoKnown := CursorNumber(p.Next)
	same := p.Next == strings.TrimRight(cursor, "\r\n") || known && alsoKnown && to == from
	switch {
	case same && p.Count > 0:
		return errors.New("its next cursor is the request's, although it has " + strconv.Itoa(p.Count) + " log groups")
	case same:
		p.Next = cursor // in the spelling of the caller
	case known && alsoKnown && to < from:
		return errors.New("its next cursor goes back, from " + shown(cursor) + " to " + shown(p.Next))
	}
	return nil
}

// number reads a required header.
func number(h http.Header, name string, limit int) (int, error) {
	s := h.Get(name)
	n, err := strconv.Atoi(s)
	switch {
	case s == "":
		return 0, errors.New("it has no header " + name)
	case err != nil || n < 0 || n > limit:
		return 0, errors.New("its header " + name + " is " + shown(s))
	}
	return n, nil
}

// optional reads a header that is only for information. It returns zero for a bad value, because
// the client can use the page without the header.
func optional(h http.Header, name string) int64 {
	n, err := strconv.ParseInt(h.Get(name), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

var errTooLong = errors.New("body is too long")

// preallocated is the largest body for which readBody allocates memory before the bytes arrive.
const preallocated = 1 << 20

// readBody reads a body to its end, into buffer if it fits. Beyond preallocated bytes it allocates
// memory only as the bytes arrive, because the announced size may be wrong.
func readBody(resp *http.Response, buffer []byte, limit int) ([]byte, error) {
	announced := resp.ContentLength
	if announced > int64(limit) {
		return nil, errTooLong
	}
	b := buffer[:0]
	if announced >= 0 && announced <= int64(max(cap(b), preallocated)) {
		n := int(announced)
		b = slices.Grow(b, n)
		_, err := io.ReadFull(resp.Body, b[:n])
		return b[:n], err
	}
	body := io.Reader(resp.Body)
	if announced >= 0 {
		body = io.LimitReader(body, announced)
	}
	for {
		if len(b) == cap(b) {
			more := min(max(len(b), 64<<10), limit+1-len(b))
			if announced >= 0 {
				more = min(max(len(b), preallocated), int(announced)+1-len(b)) // one more, to see the end
			}
			b = append(make([]byte, 0, len(b)+more), b...)
		}
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case len(b) > limit:
			return nil, errTooLong
		case err == io.EOF && int64(len(b)) < announced: //nolint:errorlint // readers return io.EOF unwrapped
			return b, io.ErrUnexpectedEOF
		case err == io.EOF: //nolint:errorlint
			return b, nil
		case err != nil:
			return nil, err
		}
	}
}
