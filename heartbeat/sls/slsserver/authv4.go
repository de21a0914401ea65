package slsserver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/heartbeat"
)

const (
	v4Date    = "20060102T150405Z"
	v4Request = "aliyun_v4_request"
	emptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

func readV4(h http.Header, rest string) (claim, error) {
	c := claim{v4: true}
	credential, signature, ok := strings.Cut(rest, ",")
	credential, okCredential := strings.CutPrefix(strings.TrimSpace(credential), "Credential=")
	signature, okSignature := strings.CutPrefix(strings.TrimSpace(signature), "Signature=")
	scope := strings.SplitN(credential, "/", 6)
	if !ok || !okCredential || !okSignature || len(scope) != 5 || scope[3] != "sls" || scope[4] != v4Request ||
		scope[2] == "" {
		return c, fail(401, "Unauthorized", "the authorization is malformed")
	}
	c.id, c.day, c.region, c.signature = scope[0], scope[1], scope[2], signature
	if c.id == "" {
		return c, fail(400, "MissAccessKeyId", "the authorization names no access key")
	}
	if c.date = h.Get("X-Log-Date"); c.date == "" {
		return c, fail(400, "MissingDate", "x-log-date is missing")
	}
	at, err := time.Parse(v4Date, c.date)
	if err != nil || c.day != c.date[:8] {
		return c, fail(400, "InvalidDateFormat", "x-log-date is not like %s, or not of the credential's day", v4Date)
	}
	c.at = at
	return c, nil
}

// isBodyV4 reports whether a body has the hash in the signed headers. With Config.UnsignedPayload
// the hash of an empty body is valid for every body.
func (s *Server) isBodyV4(h http.Header, body []byte) bool {
	payload := h.Get("X-Log-Content-Sha256")
	sum := sha256.Sum256(body)
	return hmac.Equal([]byte(payload), []byte(hex.EncodeToString(sum[:]))) ||
		s.cfg.UnsignedPayload && payload == emptyHash
}

func (s *Server) verifyV4(c *call, cl claim, secret heartbeat.Secret) bool {
	payload := c.r.Header.Get("X-Log-Content-Sha256")
	sent, err := hex.DecodeString(cl.signature)
	if err != nil {
		sent = nil // DecodeString returns what it decoded before the error
	}

	// If its endpoint has a path prefix, the Go SDK sends the prefix in the path. But it signs the
	// path without the prefix, and the host with the prefix behind it.
	type variant struct{ path, hostEnd string }
	variants := []variant{{path: c.r.URL.EscapedPath()}}
	if c.signedPath != variants[0].path {
		variants = append(variants, variant{c.signedPath, ""}, variant{c.signedPath, c.prefix}, variant{c.signedPath, c.prefix + "/"})
	}
	for _, host := range signedHosts(c.r.Host) {
		for _, v := range variants {
			canonical := canonicalV4(c.r.Method, v.path, host+v.hostEnd, payload, c.query, c.r.Header)
			if hmac.Equal(signV4(secret.Reveal(), cl, canonical), sent) {
				return true
			}
		}
	}
	return false
}

// signedHosts returns the hosts that a client may have signed. Libraries and proxies add or drop
// the default port. The Python SDK signs no port at all, even if the request line has one, as
// through a proxy.
func signedHosts(host string) []string {
	if bare := withoutPort(host); bare != host {
		return []string{host, bare}
	}
	return []string{host, host + ":80", host + ":443"}
}

// canonicalV4 returns the canonical request. The authorization does not list the signed headers:
// their names decide.
func canonicalV4(method, path, host, payload string, q url.Values, h http.Header) string {
	type header struct{ name, value string }
	signed := []header{{"host", host}}
	for name, values := range h {
		name = strings.ToLower(name)
		if signedName(name) && !strings.HasPrefix(name, "x-log-meta-") || name == "content-type" {
			signed = append(signed, header{name, values[0]})
		}
	}
	slices.SortFunc(signed, func(a, b header) int { return strings.Compare(a.name, b.name) })
	query := canonicalQuery(q, func(name, value string) string {
		if value == "" {
			return name
		}
		return name + "=" + percentEncode(value)
	})
	var b strings.Builder
	b.WriteString(method + "\n" + path + "\n" + query + "\n")
	names := make([]string, len(signed))
	for i, s := range signed {
		b.WriteString(s.name + ":" + s.value + "\n")
		names[i] = s.name
	}
	b.WriteString("\n" + strings.Join(names, ";") + "\n" + payload)
	return b.String()
}

func signV4(secret string, cl claim, canonical string) []byte {
	hash := sha256.Sum256([]byte(canonical))
	scope := cl.day + "/" + cl.region + "/sls/" + v4Request
	toSign := v4Algorithm + "\n" + cl.date + "\n" + scope + "\n" + hex.EncodeToString(hash[:])
	key := []byte("aliyun_v4" + secret)
	for _, part := range []string{cl.day, cl.region, "sls", v4Request} {
		key = hmacSHA256(key, part)
	}
	return hmacSHA256(key, toSign)
}

func hmacSHA256(key []byte, data string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(data))
	return mac.Sum(nil)
}

// percentEncode escapes everything but letters, digits and "-_.~".
func percentEncode(s string) string {
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~", c) >= 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', digits[c>>4], digits[c&15]})
	}
	return b.String()
}
