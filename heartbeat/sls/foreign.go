package sls

import (
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

const (
	maxExcerpt      = 120 // bytes of a foreign answer that an error shows
	maxWord         = 20  // bytes of a word that an error shows: keys, tokens and signatures are longer
	maxForeignPause = 10 * time.Second
)

// fromService reports whether an answer has a request ID, as all answers of the service have.
func fromService(resp *http.Response) bool {
	return strings.TrimSpace(resp.Header.Get(headerRequestID)) != ""
}

// readForeign returns the error for a foreign answer: a proxy, a portal or a load balancer wrote
// it, not the service. Whatever the status, such an answer does not tell whether the service
// carried out the request.
func readForeign(op string, resp *http.Response, cred Credentials) *TransportError {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxDrain)) // if only a part arrives, it may still show which program wrote it
	return foreignAnswer(op, resp, body, cred)
}

func foreignAnswer(op string, resp *http.Response, body []byte, cred Credentials) *TransportError {
	var b strings.Builder
	fmt.Fprintf(&b, "the answer is not the service's own: HTTP status %d", resp.StatusCode)
	if typ, _, err := mime.ParseMediaType(resp.Header.Get(headerContentType)); err == nil {
		fmt.Fprintf(&b, ", %s", bounded(scrub(typ, cred), maxName))
	}
	if to, err := url.Parse(resp.Header.Get("Location")); err == nil && to.Host != "" {
		fmt.Fprintf(&b, ", a redirect to %q", bounded(scrub(to.Host, cred), maxName))
	}
	if text := excerpt(string(body), cred); text != "" {
		fmt.Fprintf(&b, ", %q", text)
	}
	b.WriteString("; look for a proxy, a portal or a load balancer on the way")
	var after time.Duration
	if op != opHeartbeat { // waiting would use up the lease
		after, _ = retryAfter(resp.Header.Get(headerRetryAfter), time.Now())
	}
	return &TransportError{Op: op, HTTPStatus: resp.StatusCode, text: b.String(), after: min(after, maxForeignPause)}
}

var (
	pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title`)
	pageTag   = regexp.MustCompile(`(?s)<[^>]*>`)
)

// excerpt returns the title of a foreign body, or the start of its text. A body may repeat the
// request's headers in another encoding, where scrub does not find the secrets. So excerpt replaces
// long words by dots, because secrets are long.
func excerpt(body string, cred Credentials) string {
	if title := pageTitle.FindStringSubmatch(body); title != nil {
		body = title[1]
	}
	body = scrub(pageTag.ReplaceAllString(body, " "), cred)
	words := strings.FieldsFunc(body, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`{}[]",:`, r) })
	for i, w := range words {
		if len(w) > maxWord {
			words[i] = "..."
		}
	}
	return bounded(strings.Join(words, " "), maxExcerpt)
}
