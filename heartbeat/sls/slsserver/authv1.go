package slsserver

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

func readV1(h http.Header, rest string) (claim, error) {
	c := claim{}
	var ok bool
	if c.id, c.signature, ok = strings.Cut(rest, ":"); !ok || c.id == "" {
		return c, fail(400, "MissAccessKeyId", "the authorization names no access key")
	}
	switch h.Get("X-Log-Signaturemethod") {
	case "hmac-sha1":
	case "":
		return c, fail(400, "MissingSignatureMethod", "x-log-signaturemethod is missing")
	default:
		return c, fail(400, "InvalidSignatureMethod", "x-log-signaturemethod is not hmac-sha1")
	}
	// x-log-date takes precedence over Date. The Python SDK adds x-log-date after it has signed.
	if c.date = h.Get("X-Log-Date"); c.date == "" {
		c.date = h.Get("Date")
	}
	if c.date == "" {
		return c, fail(400, "MissingDate", "the date is missing")
	}
	at, err := http.ParseTime(c.date)
	if err != nil {
		// Some clients write the days 1 to 9 with one digit, which the standard does not allow.
		if at, err = time.Parse("Mon, 2 Jan 2006 15:04:05 GMT", c.date); err != nil {
			return c, fail(400, "InvalidDateFormat", "the date is not like %s", http.TimeFormat)
		}
	}
	c.at = at
	return c, nil
}

// isBodyV1 reports whether a body has the hash in the signed headers. An empty body needs no hash.
func isBodyV1(h http.Header, body []byte) bool {
	sum := h.Get("Content-Md5")
	if len(body) == 0 && sum == "" {
		return true
	}
	got := md5.Sum(body)
	want, err := hex.DecodeString(sum)
	return err == nil && subtle.ConstantTimeCompare(got[:], want) == 1
}

// verifyV1 compares the signature with each one that a correct client may have made. It computes
// all of them, so that the time does not tell which one matches.
func verifyV1(c *call, cl claim, secret heartbeat.Secret) bool {
	sent, err := base64.StdEncoding.DecodeString(cl.signature)
	if err != nil {
		sent = nil // DecodeString returns what it decoded before the error
	}
	paths := []string{c.r.URL.EscapedPath()}
	if c.signedPath != paths[0] {
		paths = append(paths, c.signedPath)
	}
	dates := []bool{false}
	if c.r.Header.Get("X-Log-Date") != "" {
		dates = append(dates, true)
	}
	match := 0
	for _, path := range paths {
		for _, withDate := range dates {
			mac := hmac.New(sha1.New, []byte(secret.Reveal()))
			mac.Write([]byte(stringToSignV1(c.r.Method, path, cl.date, c.query, c.r.Header, withDate)))
			match |= subtle.ConstantTimeCompare(mac.Sum(nil), sent)
		}
	}
	return match == 1
}

func stringToSignV1(method, path, date string, q url.Values, h http.Header, withDate bool) string {
	var lines []string
	for name, values := range h {
		name = strings.ToLower(strings.TrimSpace(name))
		if signedName(name) && (withDate || name != "x-log-date") {
			lines = append(lines, name+":"+strings.TrimSpace(values[0]))
		}
	}
	slices.Sort(lines)
	resource := path
	if len(q) > 0 {
		resource += "?" + canonicalQuery(q, func(name, value string) string { return name + "=" + value })
	}
	return method + "\n" + h.Get("Content-Md5") + "\n" + h.Get("Content-Type") + "\n" + date + "\n" +
		strings.Join(lines, "\n") + "\n" + resource
}
