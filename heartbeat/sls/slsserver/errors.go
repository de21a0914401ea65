package slsserver

import (
	"fmt"
	"unicode/utf8"
)

// apiError is an answer that is not 200.
type apiError struct {
	status  int
	code    string
	message string
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.code, e.message) }

// Messages show up to maxShown bytes of a value, enough for a whole name.
const (
	maxShown   = maxName
	maxMessage = 1 << 10
)

// fail makes an apiError. It cuts long values before it formats them, so that no answer repeats a
// large request.
func fail(status int, code, format string, args ...any) *apiError {
	for i, arg := range args {
		switch v := arg.(type) {
		case string:
			args[i] = excerpt(v, maxShown)
		case error:
			args[i] = excerpt(v.Error(), maxMessage)
		}
	}
	return &apiError{status: status, code: code, message: excerpt(fmt.Sprintf(format, args...), maxMessage)}
}

// excerpt cuts a string that is longer than limit bytes, and marks the cut with dots.
func excerpt(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "..."
}

func badParameter(format string, args ...any) *apiError {
	return fail(400, "ParameterInvalid", format, args...)
}

func badJSON(err error) *apiError {
	return fail(400, "JsonInfoInvalid", "the body is not what it should be: %v", err)
}

func noProject(name string) *apiError {
	return fail(404, "ProjectNotExist", "The Project does not exist : %s", name)
}

func noLogstore(name string) *apiError {
	return fail(404, "LogStoreNotExist", "logstore %s does not exist", name)
}

func noGroup() *apiError {
	return fail(404, "ConsumerGroupNotExist", "consumer group not exist")
}

func noMethod(path string) *apiError {
	return fail(405, "InvalidMethod", "invalid request method : %s", path)
}

// noShard has the status 404 for checkpoints and 400 for all else, as the documentation says.
func noShard(status, id int) *apiError {
	return fail(status, "ShardNotExist", "shard %d does not exist", id)
}

func badCursor(format string, args ...any) *apiError {
	return fail(400, "InvalidCursor", "invalid cursor: "+format, args...)
}

func busy(message string) *apiError { return fail(503, "ServerBusy", "%s", message) }

var errClosed = busy("the server is closed")

// misspelt has the codes that the official Go library looks for.
var misspelt = map[string]string{
	"ConsumerNotExist": "ConsumerNotExsit",
	"ShardNotExist":    "ShardNotExsit",
}
