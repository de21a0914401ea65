package sls

import (
	"crypto/hmac"
	"crypto/md5"  //nolint:gosec // the protocol's digest
	"crypto/sha1" //nolint:gosec // the protocol's signature
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strings"
	"time"
)

// prepareV1 adds the headers that version 1 signs.
func prepareV1(h http.Header, body []byte, now time.Time) {
	h[headerDate] = []string{now.UTC().Format(http.TimeFormat)}
	h[headerSignatureMethod] = []string{"hmac-sha1"}
	if len(body) > 0 {
		h[headerContentMD5] = []string{bodyMD5(body)}
	}
}

// bodyMD5 returns the digest of the bytes on the wire, after compression, in upper case.
func bodyMD5(body []byte) string {
	sum := md5.Sum(body) //nolint:gosec // the protocol's digest
	return strings.ToUpper(hex.EncodeToString(sum[:]))
}

// signV1 returns the value of the Authorization header.
func signV1(id, secret, method, path string, query []param, h http.Header) string {
	mac := hmac.New(sha1.New, []byte(secret))
	_, _ = mac.Write(stringToSignV1(method, path, query, h))
	return "LOG " + id + ":" + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func stringToSignV1(method, path string, query []param, h http.Header) []byte {
	b := make([]byte, 0, 512)
	for _, s := range []string{method, h.Get(headerContentMD5), h.Get(headerContentType), h.Get(headerDate)} {
		b = append(append(b, s...), '\n')
	}
	for _, f := range signedFields(h, signedByV1) {
		b = append(append(b, f.name...), ':')
		b = append(append(b, f.value...), '\n')
	}
	b = append(b, path...)
	sep := byte('?')
	for _, p := range sorted(query) { // version 1 signs them without escapes
		b = append(append(b, sep), p.key...)
		b = append(append(b, '='), p.value...)
		sep = '&'
	}
	return b
}

func signedByV1(name string) bool {
	return strings.HasPrefix(name, "x-log-") || strings.HasPrefix(name, "x-acs-")
}
