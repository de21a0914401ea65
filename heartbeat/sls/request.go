package sls

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func (c *Client) request(ctx context.Context, q *call, cred Credentials) *http.Request {
	h := make(http.Header, 12)
	h[headerAPIVersion] = []string{apiVersion}
	h[headerBodyRawSize] = []string{strconv.Itoa(q.rawLen)}
	h[headerUserAgent] = []string{c.userAgent}
	if len(q.body) > 0 {
		h[headerContentType] = []string{q.typ}
	}
	if q.comp != "" {
		h[headerCompressType] = []string{q.comp}
	}
	if q.accept != "" {
		h[headerAccept] = []string{typeProtobuf}
		h[headerAcceptEncoding] = []string{q.accept}
	}
	c.sign(q, cred, h)
	r := &http.Request{
		Method: q.method,
		URL:    &url.URL{Scheme: c.endpoint.scheme, Host: c.endpoint.dial, Path: q.path, RawQuery: encode(q.query)},
		Host:   c.endpoint.host,
		Header: h,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}
	if len(q.body) > 0 {
		r.ContentLength = int64(len(q.body))
		r.Body = io.NopCloser(bytes.NewReader(q.body))
		r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(q.body)), nil }
	}
	return r.WithContext(ctx)
}

// sign adds the headers of the signature. Without credentials it adds only a date.
func (c *Client) sign(q *call, cred Credentials, h http.Header) {
	now := time.Now()
	if c.keys == nil {
		h[headerDate] = []string{now.UTC().Format(http.TimeFormat)}
		return
	}
	if !cred.SecurityToken.Empty() {
		h[headerSecurityToken] = []string{cred.SecurityToken.Reveal()}
	}
	secret := cred.AccessKeySecret.Reveal()
	if c.cfg.Signature == V4 {
		prepareV4(h, q.body, now)
		h[headerAuthorization] = []string{
			signV4(cred.AccessKeyID, secret, c.cfg.Region, q.method, c.endpoint.host, q.path, q.query, h),
		}
		return
	}
	prepareV1(h, q.body, now)
	h[headerAuthorization] = []string{signV1(cred.AccessKeyID, secret, q.method, q.path, q.query, h)}
}

func encode(query []param) string {
	var b strings.Builder
	for i, p := range query {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.key)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.value))
	}
	return b.String()
}
