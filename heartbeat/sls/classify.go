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
	classForbidden // the project is disabled, because of unpaid bills for instance; retried every 30 s
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

// classes maps error codes, in lower case and without dots, to their classes. It has two spellings
// of "exist": the documentation's, and the one that the official Go consumer expects. It is not
// known which one the service sends. For these codes the client ignores the status, because the
// service documents it for only half of them.
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

	// This machine's clock is wrong. The time service of the machine may correct it, after a resume
	// for instance, so the worker retries.
	"requesttimeexpired":   classRetryable,
	"requesttimetooskewed": classRetryable,
	"invalidrequesttime":   classRetryable,

	"internalservererror": classRetryable,
	"requesttimeout":      classRetryable,
	"serverbusy":          classRetryable,

	"projectnotexist":  classPermanent,
	"projectnotexists": classPermanent,
	"logstorenotexist": classLogstoreGone,

	// The service has no other code for an expired cursor. The client does not search the messages
	// of other codes for "cursor": the message about a refused query may contain the word, and a
	// worker that then moves its position would lose data.
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
		// The gateways in front of the service have their own codes for keys, with other statuses:
		// InvalidAccessKeyId.NotFound has 404, InvalidSecurityToken.Expired has 400.
		return classUnauthorized
	}
	return classPermanent
}

// inOperation adapts the class of a code to the operation. If the shard of a commit does not exist,
// the member does not own it. If the member of a heartbeat does not exist, it was evicted. An
// operation that sends no cursor cannot have a bad one.
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

// pause returns how long to wait before a retry: what the answer asks for, within bounds, or else a
// default for the class.
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
