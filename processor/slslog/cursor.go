package slslog

import (
	"encoding/base64"
	"strconv"

	"github.com/rollcall-go/rollcall/heartbeat/sls"
)

// before reports whether cursor a comes before b. Cursors without a number have no order. If two of
// them differ, before(a, b) and before(b, a) are both true, so that reading goes on.
func before(a, b string) bool {
	m, ok := sls.CursorNumber(a)
	n, also := sls.CursorNumber(b)
	if !ok || !also {
		return a != b
	}
	return m < n
}

// formatCursor returns the cursor with a number.
func formatCursor(n int64) string {
	return base64.StdEncoding.EncodeToString(strconv.AppendInt(nil, n, 10))
}
