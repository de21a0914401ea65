package sls

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

const (
	algorithmV4 = "SLS4-HMAC-SHA256"
	requestV4   = "aliyun_v4_request"
	dateV4      = "20060102T150405Z"
)

// prepareV4 adds the headers that version 4 signs. The digest always covers the body. The protocol
// allows the digest of an empty body instead, but then anyone on the network path could change a
// put.
func prepareV4(h http.Header, body []byte, now time.Time) {
	h[headerLogDate] = []string{now.UTC().Format(dateV4)}
	h[headerContentSHA256] = []string{hexSHA256(body)}
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// signV4 returns the value of the Authorization header. The host is the Host header with its port.
func signV4(id, secret, region, method, host, path string, query []param, h http.Header) string {
	date := h.Get(headerLogDate)
	day := date[:min(8, len(date))]
	scope := day + "/" + region + "/sls/" + requestV4
	canonical := canonicalV4(method, host, path, query, h)
	toSign := algorithmV4 + "\n" + date + "\n" + scope + "\n" + hexSHA256(canonical)
	signature := hmacSHA256(signingKeyV4(secret, day, region), toSign)
	return algorithmV4 + " Credential=" + id + "/" + scope + ",Signature=" + hex.EncodeToString(signature)
}

func signingKeyV4(secret, day, region string) []byte {
	key := hmacSHA256([]byte("aliyun_v4"+secret), day)
	key = hmacSHA256(key, region)
	key = hmacSHA256(key, "sls")
	return hmacSHA256(key, requestV4)
}

func hmacSHA256(key []byte, data string) []byte {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(data))
	return mac.Sum(nil)
}

func canonicalV4(method, host, path string, query []param, h http.Header) []byte {
	b := make([]byte, 0, 1024)
	b = append(append(b, method...), '\n')
	b = append(append(b, path...), '\n')
	for i, p := range sorted(query) {
		if i > 0 {
			b = append(b, '&')
		}
		b = append(b, p.key...)
		if p.value != "" {
			b = percentEncode(append(b, '='), p.value)
		}
	}
	b = append(b, '\n')
	fields := signedFields(h, signedByV4)
	if host != "" {
		fields = append(fields, field{name: "host", value: host})
		sortFields(fields)
	}
	for _, f := range fields {
		b = append(append(b, f.name...), ':')
		b = append(append(b, f.value...), '\n')
	}
	b = append(b, '\n')
	for i, f := range fields {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, f.name...)
	}
	b = append(b, '\n')
	return append(b, h.Get(headerContentSHA256)...)
}

func signedByV4(name string) bool {
	return name == "content-type" || strings.HasPrefix(name, "x-acs-") ||
		strings.HasPrefix(name, "x-log-") && !strings.HasPrefix(name, "x-log-meta-")
}

// percentEncode appends s, and escapes all but letters, digits and -_.~. A space is %20 here,
// although the query in the URL has a plus.
func percentEncode(b []byte, s string) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		c := s[i]
		if alphanumeric(c) || c == '-' || c == '_' || c == '.' || c == '~' {
			b = append(b, c)
		} else {
			b = append(b, '%', digits[c>>4], digits[c&15])
		}
	}
	return b
}
