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
	maxExcerpt      = 120 // bytes of a foreign page that an error shows
	maxWord         = 20  // bytes of one of its words: keys, tokens and signatures are longer
	maxForeignPause = 10 * time.Second
)

// fromService reports whether an answer has a request ID, as all answers of the service have.
func fromService(resp *http.Response) bool {
	return strings.TrimSpace(resp.Header.Get(headerRequestID)) != ""
}

// foreign returns the error for an answer that the service did not write: a page of a proxy, a
// portal or a load balancer. Whatever its status, it does not tell whether the request was carried
// out.
func foreign(op string, resp *http.Response, cred Credentials) *TransportError {
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxDrain)) // half a page may name its author too
	return foreignPage(op, resp, body, cred)
}

func foreignPage(op string, resp *http.Response, body []byte, cred Credentials) *TransportError {
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
	if op != opHeartbeat { // the lease does not wait
		after, _ = retryAfter(resp.Header.Get(headerRetryAfter), time.Now())
	}
	return &TransportError{Op: op, HTTPStatus: resp.StatusCode, text: b.String(), after: min(after, maxForeignPause)}
}

var (
	pageTitle = regexp.MustCompile(`(?is)<title[^>]*>(.*?)</title`)
	pageTag   = regexp.MustCompile(`(?s)<[^>]*>`)
)

// excerpt returns the title of a page, or the start of its text. Pages may repeat the headers of
// the request in another encoding. So it leaves out long words, because secrets are long.
func excerpt(page string, cred Credentials) string {
	if title := pageTitle.FindStringSubmatch(page); title != nil {
		page = title[1]
	}
	page = scrub(pageTag.ReplaceAllString(page, " "), cred)
	words := strings.FieldsFunc(page, func(r rune) bool { return r <= ' ' || strings.ContainsRune(`{}[]",:`, r) })
	for i, w := range words {
		if len(w) > maxWord {
			words[i] = "..."
		}
	}
	return bounded(strings.Join(words, " "), maxExcerpt)
}
