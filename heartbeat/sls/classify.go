package sls

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// class is what an error means to a caller.
type class uint8

const (
	classPermanent class = iota + 1
	classRetryable
	classThrottled
	classForbidden // switched off, for arrears for instance: worth a slow retry
	classUnauthorized
	classEvicted
	classGroupGone
	classNotOwner
	classShardGone
	classLogstoreGone
	classCursor
	classExists
)

// Operations, as errors name them. Few of them matter to the meaning of a code.
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

// classes is the table of codes, in lower case and without dots. Two spellings of
// "exist" are in use: the documentation's, and one that the official Go consumer
// expects. Which one the service sends is not verified, so both count.
//
// A code decides; its status is not asked, because for half of the codes that matter
// it is not documented.
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

	// The clock is wrong. It is for the machine's time service to mend, which it
	// does, after a resume for instance; a worker need not end for that.
	"requesttimeexpired":   classRetryable,
	"requesttimetooskewed": classRetryable,
	"invalidrequesttime":   classRetryable,

	"internalservererror": classRetryable,
	"requesttimeout":      classRetryable,
	"serverbusy":          classRetryable,

	"projectnotexist":  classPermanent,
	"projectnotexists": classPermanent,
	"logstorenotexist": classLogstoreGone,

	// The one code by which an expired cursor is known. A refused parameter is none,
	// whatever its message says: a query may be refused with words of its own in the
	// text, and a position that moves for it loses what it leaves out.
	"invalidcursor": classCursor,
}

// classify says what an answer other than 200 means.
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

// inOperation is for the codes that mean different things to different calls: a commit
// to a shard that is gone can have no owner, a heartbeat of a member that does not
// exist is one of a member that was evicted, and no cursor can be bad where none was sent.
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

// pause is how long to wait: what the answer says within reason, otherwise a time that
// suits the class.
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
