package sls

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// class is the meaning of an error to a caller.
type class uint8

const (
	classPermanent class = iota + 1
	classRetryable
	classThrottled
	classForbidden // switched off, for arrears for instance; retried slowly
	classUnauthorized
	classEvicted
	classGroupGone
	classNotOwner
	classShardGone
	classLogstoreGone
	classCursor
	classExists
)

// The operations as errors name them.
const (
	opHeartbeat        = "heartbeat"
	opUpdateCheckpoint = "update checkpoint"
	opGetCheckpoint    = "get checkpoint"
	opCreateGroup      = "create group"
	opUpdateGroup      = "update group"
	opListGroups       = "list groups"
	opDeleteGroup      = "delete group"
	opListShards       = "list shards"
	opCursor           = "get cursor"
	opCursorTime       = "get cursor time"
	opPull             = "pull"
	opPut              = "put"
	opSplit            = "split shard"
	opMerge            = "merge shards"
)

// classes is the table of codes, in lower case and without dots. There are two spellings of
// "exist": the documentation's, and the one that the official Go consumer expects. Which one the
// service sends is not verified, so both are here. The status does not count for a code in the
// table, because the service documents the status of only half of them.
var classes = map[string]class{
	"notexistconsumerwithbody": classEvicted,
	"consumergroupnotexist":    classGroupGone,
	"consumergroupnotexsit":    classGroupGone,

	"consumernotexist": classNotOwner,
	"consumernotexsit": classNotOwner,
	"consumernotmatch": classNotOwner,
	"shardnotexist":    classShardGone,
	"shardnotexsit":    classShardGone,

	"consumergroupalreadyexist": classExists,
	"consumergroupquotaexceed":  classPermanent, // too many groups; waiting does not help

	"unauthorized":          classUnauthorized,
	"signaturenotmatch":     classUnauthorized,
	"signaturedoesnotmatch": classUnauthorized,
	"invalidaccesskeyid":    classUnauthorized,
	"securitytokenexpired":  classUnauthorized,
	"projectforbidden":      classForbidden,

	// The machine's clock is wrong. Its time service sets it right, after a resume for
	// instance, so a worker need not end.
	"requesttimeexpired":   classRetryable,
	"requesttimetooskewed": classRetryable,
	"invalidrequesttime":   classRetryable,

	"internalservererror": classRetryable,
	"requesttimeout":      classRetryable,
	"serverbusy":          classRetryable,

	"projectnotexist":  classPermanent,
	"projectnotexists": classPermanent,
	"logstorenotexist": classLogstoreGone,

	// The only code of an expired cursor. Another code with "cursor" in its message does not
	// count: a refused query may have the word in its text, and a position that moves for it
	// would lose data.
	"invalidcursor": classCursor,
}

// classify returns the class of an answer with a status other than 200.
func classify(op string, status int, code string) class {
	code = strings.ReplaceAll(strings.ToLower(code), ".", "")
	c, known := classes[code]
	switch {
	case known:
		return inOperation(op, c)
	case strings.HasSuffix(code, "quotaexceed"), strings.Contains(code, "qpslimit"):
		return classThrottled
	case status == http.StatusTooManyRequests:
		return classThrottled
	case status >= 500, status == http.StatusRequestTimeout:
		return classRetryable
	case status == http.StatusUnauthorized, status == http.StatusForbidden,
		strings.HasPrefix(code, "invalidaccesskey"), strings.Contains(code, "securitytoken"):
		// The gateways in front have codes of their own for keys, with other statuses:
		// InvalidAccessKeyId.NotFound has 404, InvalidSecurityToken.Expired has 400.
		return classUnauthorized
	}
	return classPermanent
}

// inOperation adapts the class of a code to the operation. A shard that does not exist has no owner
// for a commit. A member that does not exist was evicted, for a heartbeat. A bad cursor is no cursor
// fault where none was sent.
func inOperation(op string, c class) class {
	switch {
	case c == classShardGone && op == opUpdateCheckpoint:
		return classNotOwner
	case c == classNotOwner && op == opHeartbeat:
		return classEvicted
	case c == classCursor && op != opPull && op != opCursorTime:
		return classPermanent
	}
	return c
}

// pause returns how long to wait before a retry: what the answer says, within bounds, or else a
// time for the class.
func pause(c class, header string, now time.Time) time.Duration {
	if after, ok := retryAfter(header, now); ok {
		return after
	}
	switch c {
	case classThrottled:
		return throttlePause
	case classForbidden:
		return forbidPause
	}
	return 0
}

// retryAfter reads a Retry-After header: seconds, or a date.
func retryAfter(header string, now time.Time) (time.Duration, bool) {
	if header == "" {
		return 0, false
	}
	after := time.Duration(0)
	if n, err := strconv.ParseUint(header, 10, 64); err == nil {
		after = time.Duration(min(n, uint64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(header); err == nil {
		after = at.Sub(now)
	} else {
		return 0, false
	}
	return min(max(after, 0), maxRetryAfter), true
}
