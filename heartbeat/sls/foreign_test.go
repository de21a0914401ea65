package sls

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

// isForeign reports what is wrong with the error of a call that the service never
// answered: such a call did not succeed, was not refused, and may be made again.
func isForeign(err error, status int) error {
	var te *TransportError
	if !errors.As(err, &te) || te.HTTPStatus != status {
		return fmt.Errorf("it returned %v, want a *TransportError with the status %d", err, status)
	}
	if !heartbeat.Retryable(err) {
		return fmt.Errorf("it cannot be retried: %v", err)
	}
	for _, s := range sentinels {
		if errors.Is(err, s) {
			return fmt.Errorf("%v matches %v", err, s)
		}
	}
	if !strings.Contains(err.Error(), fmt.Sprint("HTTP status ", status)) || !strings.Contains(err.Error(), "proxy") {
		return fmt.Errorf("%v does not tell the operator what to look for", err)
	}
	return nil
}

// An answer of another machine, with any status, to any call, is no answer. The bodies are those that
// would mean most if they were the service's.
func TestAnswersWithoutARequestID(t *testing.T) {
	for status := 200; status < 600; status++ {
		for op := range answers {
			own := answers[op]()
			own.StatusCode = status
			own.Header.Del(headerRequestID)
			w := &wire{answer: func(sent) (*http.Response, error) { return own, nil }}
			if err := isForeign(operations(newClient(t, config(w)))[op](t.Context()), status); err != nil {
				t.Errorf("%s answered with %d: %v", op, status, err)
			}
			if n := len(w.sent); n != 1 {
				t.Errorf("%s answered with %d was sent %d times", op, status, n)
			}
			if err := w.closed(); err != nil {
				t.Error(err)
			}
		}
		page := `{"errorCode":"NotExistConsumerWithBody","errorMessage":"Invalid Cursor"}`
		for op, call := range operations(newClient(t, config(&wire{answer: func(sent) (*http.Response, error) {
			r := foreignReply(status, page)
			r.Header[headerRequestID] = []string{""}
			return r, nil
		}}))) {
			if err := isForeign(call(t.Context()), status); err != nil {
				t.Errorf("%s answered with %d and an empty request id: %v", op, status, err)
			}
		}
	}
}

// An error needs the service's JSON with a code besides. A gateway that passes the service's headers on
// may have replaced its error by a page.
func TestErrorsWithoutACode(t *testing.T) {
	for _, body := range []string{
		"", "<html>", "null", "[]", "{}", `"errorCode"`, `{"errorCode":7}`, `{"errorCode":""}`, `{"errorCode":null}`,
		`{"error":"forbidden","code":403}`, `{"errorCode":"ConsumerGroupNotEx`, `{"errorCode":"ConsumerGroupNotExist"} <html>`,
		`{"errorMessage":"consumer group not exist"}`, `{"errorCode":"X","errorMessage":"` + strings.Repeat("x", maxDrain) + `"}`,
	} {
		for _, status := range []int{201, 204, 206, 301, 307, 400, 401, 403, 404, 407, 413, 421, 429, 451, 500, 502, 503, 504} {
			if len(body) > maxDrain && status != 403 && status != 500 {
				continue // once is enough of what takes long
			}
			for op, call := range operations(newClient(t, config(always(status, body)))) {
				if err := isForeign(call(t.Context()), status); err != nil {
					t.Errorf("%s answered with %d %q: %v", op, status, bounded(body, 60), err)
				}
			}
		}
	}
}

// What is to be stored is stored if the service says so. Somebody may answer 200 with the
// headers of an earlier answer, or the answer may break off.
func TestPagesUnderTheServicesHeaders(t *testing.T) {
	said := map[string]bool{ // bodies, and whether they can be the service's
		"": true, "\r\n": true, "{}": true, " {}\n": true, `{"more":[1]}`: true,
		"<html>": false, "OK": false, "{}<html>": false, "{": false, "\x1f\x8b\x08\x00": false,
		`{"errorCode":"ServerBusy","errorMessage":"m"}`: false, `{"errorCode":7}`: false,
		`"` + strings.Repeat("x", maxDrain) + `"`: false,
	}
	for _, op := range []string{opUpdateCheckpoint, opPut, opCreateGroup, opUpdateGroup, opDeleteGroup} {
		for body, own := range said {
			err := operations(newClient(t, config(always(200, body))))[op](t.Context())
			if own && err != nil {
				t.Errorf("%s answered with %q: %v", op, bounded(body, 60), err)
			}
			if !own {
				if err := isForeign(err, 200); err != nil {
					t.Errorf("%s answered with %q: %v", op, bounded(body, 60), err)
				}
			}
		}
		w := &wire{answer: func(sent) (*http.Response, error) {
			r := reply(200, "")
			r.Body = io.NopCloser(&failing{})
			return r, nil
		}}
		err := operations(newClient(t, config(w)))[op](t.Context())
		if te := (*TransportError)(nil); !errors.As(err, &te) || !errors.Is(err, errCut) {
			t.Errorf("%s whose answer breaks off: %v", op, err)
		}
	}
}

// Nor is a page a list that makes no sense: from such a one something could be concluded.
func TestPagesInPlaceOfLists(t *testing.T) {
	for _, op := range []string{opHeartbeat, opListGroups, opListShards, opGetCheckpoint, opCursor, opCursorTime, opSplit, opMerge} {
		for _, body := range []string{"<html>[]</html>", "\n <!doctype html>", "OK", "\x1f\x8b\x08\x00", "\xff", "\ufeff[]"} {
			if err := isForeign(operations(newClient(t, config(always(200, body))))[op](t.Context()), 200); err != nil {
				t.Errorf("%s answered with %q: %v", op, body, err)
			}
		}
	}
}

// Behind status 101 comes what another protocol says, for as long as it likes: the body is
// the connection, which no context ends.
func TestSwitchedProtocols(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = conn.Close() }()
		_, _ = buf.WriteString("HTTP/1.1 101 Switching Protocols\r\nX-Log-Requestid: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n")
		_ = buf.Flush()
		<-release
	})}
	served := make(chan struct{})
	go func() { defer close(served); _ = s.Serve(l) }()
	t.Cleanup(func() { close(release); _ = s.Close(); <-served })
	for op, call := range operations(liveClient(t, "http://"+l.Addr().String())) {
		result := make(chan error, 1)
		go func() { result <- call(t.Context()) }()
		select {
		case err := <-result:
			if err := isForeign(err, 101); err != nil {
				t.Errorf("%s: %v", op, err)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("%s does not return", op)
		}
	}
}

// The service's own errors come in many forms.
func TestErrorsOfTheService(t *testing.T) {
	for _, c := range []struct{ name, body, message string }{
		{"requestid", `{"errorCode":"ConsumerGroupNotExist","errorMessage":"m"}`, "m"},
		{"x-log-requestid", `{"errorCode":"ConsumerGroupNotExist"}`, ""},
		{"X-LOG-REQUESTID", ` {"errorMessage":"m","more":[1],"errorCode":"ConsumerGroupNotExist"}` + "\n", "m"},
		{"x-log-requestid", `{"errorCode":"ConsumerGroupNotExist","errorMessage":{"en":"m"}}`, ""},
		{"x-log-requestid", `{"errorCode":"ConsumerGroupNotExist","errorMessage":null}`, ""},
	} {
		w := &wire{answer: func(sent) (*http.Response, error) {
			r := foreignReply(404, c.body, headerContentType, "text/html")
			r.Header.Set(c.name, "5B0A6B60BB6EE39764D458B5")
			return r, nil
		}}
		_, err := newClient(t, config(w)).heartbeat(t.Context(), "c1", nil)
		var e *Error
		own := c.name != "requestid"
		if errors.As(err, &e) != own || own && (e.Message != c.message || !errors.Is(err, heartbeat.ErrGroupNotFound)) {
			t.Errorf("%s with %s returned %v", c.body, c.name, err)
		}
	}
}

// An error that breaks off says nothing.
func TestErrorThatBreaksOff(t *testing.T) {
	w := &wire{answer: func(sent) (*http.Response, error) {
		r := refuse(404, "ConsumerGroupNotExist", "")
		r.Body = io.NopCloser(io.MultiReader(r.Body, &failing{}))
		return r, nil
	}}
	_, err := newClient(t, config(w)).heartbeat(t.Context(), "c1", nil)
	var te *TransportError
	if !errors.As(err, &te) || !errors.Is(err, errCut) || errors.Is(err, heartbeat.ErrGroupNotFound) {
		t.Errorf("it returned %v", err)
	}
}

// The error shows in a few words what may have answered, and no word that could be a key.
func TestForeignAnswersAreShown(t *testing.T) {
	key := strings.Repeat("k", maxWord+1)
	long := strings.Repeat("word ", 1000)
	for _, c := range []struct {
		status  int
		body    string
		headers []string
		want    string
	}{
		{403, "<html><head><TITLE id=1>Access\n denied</TITLE></head><body>by policy", []string{headerContentType, "text/html; charset=utf-8"}, `403, text/html, "Access denied";`},
		{407, "<h1>Log in</h1> to <b>the</b> net " + key, nil, `407, "Log in to the net ...";`},
		{302, "", []string{"Location", "https://user:pw@portal.example:8443/login?token=x"}, `302, a redirect to "portal.example:8443";`},
		{502, "", []string{headerContentType, "?/"}, `502;`},
		{200, `{"error":"blocked","trace":"` + key + `"}`, []string{headerContentType, "application/json"}, `200, application/json, "error blocked trace ...";`},
		{503, long, nil, `503, "` + long[:maxExcerpt] + `...";`},
		{500, "a\x1b[31m\x00b", nil, `500, "a 31m b";`},
	} {
		w := &wire{answer: func(sent) (*http.Response, error) { return foreignReply(c.status, c.body, c.headers...), nil }}
		_, err := newClient(t, config(w)).ListShards(t.Context())
		want := "sls: list shards: https://my-project.cn-hangzhou.log.aliyuncs.com: the answer is not the service's own: HTTP status " + c.want + " look for a proxy, a portal or a load balancer on the way"
		if err == nil || err.Error() != want {
			t.Errorf("the error is\n  %v\nwant\n  %s", err, want)
		}
	}
}

// Somebody else may ask for patience, but not for much of it, and not where a lease runs
// out meanwhile.
func TestForeignRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{"": 0, "3": 3 * time.Second, "3600": maxForeignPause, "-1": 0, "soon": 0} {
		w := &wire{answer: func(sent) (*http.Response, error) { return foreignReply(503, "", headerRetryAfter, header), nil }}
		_, err := newClient(t, config(w)).ListShards(t.Context())
		var r interface{ RetryAfter() time.Duration }
		if !errors.As(err, &r) || r.RetryAfter() != want {
			t.Errorf("Retry-After %q is %v, want %v", header, err, want)
		}
		_, err = newClient(t, config(w)).heartbeat(t.Context(), "c1", nil)
		if !errors.As(err, &r) || r.RetryAfter() != 0 {
			t.Errorf("Retry-After %q holds up heartbeats: %v", header, err)
		}
	}
}
