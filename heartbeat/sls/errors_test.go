package sls

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
	"github.com/rollcall-go/rollcall/processor"
)

// sentinels is all that an *Error may match.
var sentinels = []error{
	heartbeat.ErrEvicted, heartbeat.ErrGroupNotFound, heartbeat.ErrUnauthorized, processor.ErrNotOwner,
	ErrThrottled, ErrInvalidCursor, ErrShardNotFound, errGroupExists,
}

// Every code of the reference, with what it means: which error it matches, and whether
// a later try may succeed.
func TestCodes(t *testing.T) {
	const anything = opListShards
	for _, c := range []struct {
		op        string
		status    int
		codes     string
		match     error
		retryable bool
	}{
		{opHeartbeat, 400, "NotExistConsumerWithBody notexistconsumerwithbody", heartbeat.ErrEvicted, true},
		{opHeartbeat, 404, "ConsumerNotExist ConsumerNotExsit", heartbeat.ErrEvicted, true},
		{anything, 404, "ConsumerGroupNotExist ConsumerGroupNotExsit", heartbeat.ErrGroupNotFound, false},
		{opUpdateCheckpoint, 404, "ConsumerNotExist ConsumerNotExsit CONSUMERNOTEXSIT", processor.ErrNotOwner, false},
		{opUpdateCheckpoint, 400, "ConsumerNotMatch", processor.ErrNotOwner, false},
		{opUpdateCheckpoint, 500, "ConsumerNotMatch", processor.ErrNotOwner, false}, // its status is not known
		{opUpdateCheckpoint, 404, "ShardNotExist ShardNotExsit", processor.ErrNotOwner, false},
		{opPull, 400, "ShardNotExist ShardNotExsit", ErrShardNotFound, false},
		{opCursor, 404, "ShardNotExist", ErrShardNotFound, false},
		{opGetCheckpoint, 404, "ShardNotExist", ErrShardNotFound, false},
		{opCreateGroup, 400, "ConsumerGroupAlreadyExist", errGroupExists, false},
		{opCreateGroup, 403, "ConsumerGroupQuotaExceed", nil, false},
		{anything, 401, "Unauthorized SignatureNotMatch InvalidAccessKeyId SecurityTokenExpired SecurityToken.Expired", heartbeat.ErrUnauthorized, false},
		{anything, 400, "SecurityTokenExpired SecurityToken.Expired InvalidSecurityToken InvalidSecurityToken.Expired " +
			"InvalidSecurityToken.Malformed SignatureDoesNotMatch", heartbeat.ErrUnauthorized, false},
		{anything, 404, "InvalidAccessKeyId.NotFound InvalidAccessKeyId.Inactive", heartbeat.ErrUnauthorized, false},
		{anything, 401, "SomethingNew", heartbeat.ErrUnauthorized, false},
		{anything, 403, "SomethingNew", heartbeat.ErrUnauthorized, false},
		{opPull, 403, "ReadQuotaExceed ShardReadQuotaExceed", ErrThrottled, true},
		{opPut, 403, "WriteQuotaExceed ShardWriteQuotaExceed", ErrThrottled, true},
		{anything, 403, "MetaOperationQpsLimitExceeded", ErrThrottled, true},
		{anything, 429, "SomethingNew", ErrThrottled, true},
		{anything, 403, "ProjectForbidden", nil, true},
		{anything, 400, "RequestTimeExpired RequestTimeTooSkewed InvalidRequestTime", nil, true},
		{anything, 500, "InternalServerError RequestTimeout SomethingNew", nil, true},
		{anything, 503, "ServerBusy", nil, true},
		{anything, 502, "SomethingNew", nil, true},
		{anything, 408, "SomethingNew", nil, true},
		{anything, 404, "ProjectNotExist ProjectNotExists LogStoreNotExist", nil, false},
		{opPull, 400, "InvalidCursor", ErrInvalidCursor, false},
		{opCursorTime, 404, "InvalidCursor", ErrInvalidCursor, false},
		{opPull, 400, "InvalidCursorTime InvalidShardCursor", nil, false}, // their meaning is not known
		{opCursor, 400, "InvalidCursor", nil, false},
		{opUpdateCheckpoint, 400, "InvalidShardCheckPoint InvalidCursor", nil, false},
		{anything, 400, "MissingContentType MissingBodyRawSize InvalidBodyRawSize InvalidCompressType MissingHost MissingDate " +
			"InvalidDateFormat MissingAPIVersion InvalidAPIVersion MissAccessKeyId MissingSignatureMethod InvalidSignatureMethod " +
			"InvalidHost ParameterInvalid InvalidParameter JsonInfoInvalid LogStoreWithoutShard", nil, false},
		{opPut, 400, "PostBodyInvalid PostBodyUncompressError InvalidTimestamp InvalidEncoding InvalidKey PostBodyTooLarge", nil, false},
		{opPut, 413, "PostBodyTooLarge", nil, false},
		{anything, 405, "InvalidMethod", nil, false},
		{anything, 411, "MissingContentLength", nil, false},
		{anything, 415, "InvalidContentType", nil, false},
		{anything, 418, "SomethingNew", nil, false},
	} {
		for code := range strings.FieldsSeq(c.codes) {
			w := &wire{answer: func(sent) (*http.Response, error) { return refuse(c.status, code, "what it says"), nil }}
			err := operations(newClient(t, config(w)))[c.op](t.Context())
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("%s: %s returned %v, want an *Error", code, c.op, err)
			}
			want := fmt.Sprintf("sls: %s: HTTP status %d, code %q: %q (request %q)", c.op, c.status, code, "what it says", "5B0A6B60BB6EE39764D458B5")
			if e.Error() != want {
				t.Errorf("the error is %q, want %q", e, want)
			}
			for _, s := range sentinels {
				if got := errors.Is(err, s); got != (s == c.match) {
					t.Errorf("%d %s to %s matches %q: %v", c.status, code, c.op, s, got)
				}
			}
			if got := heartbeat.Retryable(err); got != c.retryable {
				t.Errorf("%d %s to %s is retryable: %v", c.status, code, c.op, got)
			}
			if n := len(w.sent); n != 1 {
				t.Errorf("%d %s to %s was sent %d times", c.status, code, c.op, n)
			}
			if err := w.closed(); err != nil {
				t.Error(err)
			}
		}
	}
}

// A refused parameter is no expired cursor, whatever its message says: a query that is
// wrong may be shown there.
func TestBadParameterIsNoCursor(t *testing.T) {
	for _, message := range []string{"Invalid Cursor", "cursor: bad", "invalid query: * | where cursor = 'InvalidCursor'"} {
		for _, code := range []string{"ParameterInvalid", "InvalidParameter", "InvalidQuery", ""} {
			w := &wire{answer: func(sent) (*http.Response, error) { return refuse(400, code, message), nil }}
			for _, op := range []string{opPull, opCursor, opCursorTime} {
				if err := operations(newClient(t, config(w)))[op](t.Context()); errors.Is(err, ErrInvalidCursor) {
					t.Errorf("%s refused with %q, %q is about a cursor: %v", op, code, message, err)
				}
			}
		}
	}
}

// What the service writes is cut, and cannot write a log line of its own.
func TestServerTextIsCutAndCleaned(t *testing.T) {
	long := strings.Repeat("é", 1<<12)
	w := &wire{answer: func(sent) (*http.Response, error) {
		r := refuse(400, "Code\n"+long, "line\nFATAL forged\x1b[31m"+long)
		r.Header.Set(headerRequestID, long)
		return r, nil
	}}
	_, err := newClient(t, config(w)).ListShards(t.Context())
	if s := err.Error(); len(s) > 1500 || strings.ContainsAny(s, "\n\x1b") || !strings.Contains(s, `line\nFATAL`) {
		t.Errorf("the error is %q of %d bytes", bounded(s, 300), len(s))
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, time.November, 23, 9, 30, 0, 0, time.UTC)
	for _, c := range []struct {
		class  class
		header string
		want   time.Duration
	}{
		{classThrottled, "", throttlePause}, {classForbidden, "", forbidPause}, {classRetryable, "", 0},
		{classThrottled, "7", 7 * time.Second}, {classRetryable, "7", 7 * time.Second}, {classRetryable, "0", 0},
		{classThrottled, "999999999999999999", maxRetryAfter}, {classThrottled, "99999999999999999999999", throttlePause},
		{classThrottled, "-7", throttlePause}, {classThrottled, "soon", throttlePause},
		{classRetryable, "Mon, 23 Nov 2026 09:30:09 GMT", 9 * time.Second}, {classRetryable, "Mon, 23 Nov 2026 09:29:09 GMT", 0},
		{classRetryable, "Tue, 24 Nov 2026 09:29:09 GMT", maxRetryAfter},
	} {
		if got := pause(c.class, c.header, now); got != c.want {
			t.Errorf("class %d with %q pauses for %v, want %v", c.class, c.header, got, c.want)
		}
	}
	w := always(503, `{"errorCode":"ServerBusy"}`, headerRetryAfter, "3")
	_, err := newClient(t, config(w)).ListShards(t.Context())
	var after interface{ RetryAfter() time.Duration }
	if !errors.As(err, &after) || after.RetryAfter() != 3*time.Second {
		t.Errorf("%v does not say to wait 3s", err)
	}
}

// A transport's error keeps its cause and loses its URL.
func TestTransportError(t *testing.T) {
	cause := errors.New("broken\npipe")
	w := &wire{answer: func(sent) (*http.Response, error) {
		return nil, fmt.Errorf("outer: %w", &url.Error{Op: "Post", URL: "https://x/?consumer=c1&canary=1", Err: cause})
	}}
	_, err := newClient(t, config(w)).heartbeat(t.Context(), "c1", nil)
	var te *TransportError
	if !errors.As(err, &te) || !errors.Is(err, cause) || !heartbeat.Retryable(err) {
		t.Fatalf("the error is %v, want a *TransportError of %v", err, cause)
	}
	if want := "sls: heartbeat: no answer from https://my-project.cn-hangzhou.log.aliyuncs.com: broken?pipe"; err.Error() != want {
		t.Errorf("the error is %q, want %q", err, want)
	}
}

// Every call returns its context's error, before it sends and while it waits.
func TestContexts(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	w := always(200, "")
	for op, call := range operations(newClient(t, config(w))) {
		if err := call(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s with a context that has ended returned %v", op, err)
		}
	}
	expectLines(t, w)

	waits := &wire{}
	waits.answer = func(s sent) (*http.Response, error) { <-s.Context().Done(); return nil, s.Context().Err() }
	cfg := config(waits)
	cfg.RequestTimeout = time.Millisecond
	for op, call := range operations(newClient(t, cfg)) {
		if err := call(t.Context()); !errors.Is(err, context.DeadlineExceeded) || !heartbeat.Retryable(err) {
			t.Errorf("%s that takes too long returned %v", op, err)
		}
	}
}
