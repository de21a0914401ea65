package slsserver

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"
)

// formatCursor encodes a cursor for the wire: base64 of its decimal digits.
func formatCursor(n int64) string {
	var digits [20]byte
	return base64.StdEncoding.EncodeToString(strconv.AppendInt(digits[:0], n, 10))
}

const maxCursorText = 64

// parseCursor reads a cursor. Padding may be missing, and a line end may follow.
func parseCursor(s string) (int64, bool) {
	s = strings.TrimRight(strings.TrimRight(s, "\r\n"), "=")
	if s == "" || len(s) > maxCursorText {
		return 0, false
	}
	digits, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	if err != nil || n < 0 || strconv.FormatInt(n, 10) != string(digits) {
		return 0, false
	}
	return n, true
}

func (s *Server) shardOf(c *call) (*shard, error) {
	ls, err := c.logstoreOf(s)
	if err != nil {
		return nil, err
	}
	if sh := ls.shard(c.shard); sh != nil {
		return sh, nil
	}
	return nil, noShard(400, c.shard)
}

func (s *Server) getCursor(c *call) error {
	sh, err := s.shardOf(c)
	if err != nil {
		return err
	}
	begin, end, _ := sh.bounds()
	cursor := begin
	switch from := c.query.Get("from"); from {
	case "begin":
	case "end":
		cursor = end
	default:
		seconds, err := strconv.ParseInt(from, 10, 64)
		if err != nil || seconds < 0 || seconds > 1<<33 {
			return badParameter("from is %q, which is neither begin nor end nor a time", from)
		}
		cursor = sh.from(time.Unix(seconds, 0).UnixNano())
	}
	return c.replyJSON(struct {
		Cursor string `json:"cursor"`
	}{formatCursor(cursor)})
}

func (s *Server) getCursorTime(c *call) error {
	sh, err := s.shardOf(c)
	if err != nil {
		return err
	}
	cursor, err := s.position(sh, c.query.Get("cursor"))
	if err != nil {
		return err
	}
	return c.replyJSON(struct {
		Time int64 `json:"cursor_time"`
	}{sh.receivedAt(cursor, s.cfg.Clock()).Unix()})
}

// position reads the cursor of a read, and refuses it if it is expired or beyond the end. With
// Config.ExpiredFromBegin it returns the oldest cursor for an expired one.
func (s *Server) position(sh *shard, text string) (int64, error) {
	cursor, ok := parseCursor(text)
	if !ok {
		return 0, badCursor("%q", text)
	}
	begin, end, _ := sh.bounds()
	switch {
	case cursor > end:
		return 0, badCursor("%d is beyond the end of the shard, %d", cursor, end)
	case cursor < begin && s.cfg.ExpiredFromBegin:
		return begin, nil
	case cursor < begin:
		return 0, badCursor("what was at %d has expired; the shard begins at %d", cursor, begin)
	}
	return cursor, nil
}
