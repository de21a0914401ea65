package sls

import (
	"net/http"
	"slices"
	"strings"
)

// Signature is a version of the request signature.
type Signature string

const (
	// V1 is HMAC-SHA1. All regions accept it, except those that Config.Signature names.
	V1 Signature = "v1"
	// V4 is HMAC-SHA256 with a key that is valid for one day and one region. It needs
	// Config.Region.
	V4 Signature = "v4"
)

// Header names in the canonical form of net/http, which saves a conversion.
const (
	headerAuthorization   = "Authorization"
	headerDate            = "Date"
	headerContentType     = "Content-Type"
	headerContentMD5      = "Content-Md5"
	headerUserAgent       = "User-Agent"
	headerAccept          = "Accept"
	headerAcceptEncoding  = "Accept-Encoding"
	headerRetryAfter      = "Retry-After"
	headerAPIVersion      = "X-Log-Apiversion"
	headerSignatureMethod = "X-Log-Signaturemethod"
	headerBodyRawSize     = "X-Log-Bodyrawsize"
	headerCompressType    = "X-Log-Compresstype"
	headerLogDate         = "X-Log-Date"
	headerContentSHA256   = "X-Log-Content-Sha256"
	headerSecurityToken   = "X-Acs-Security-Token"
	headerRequestID       = "X-Log-Requestid"
)

const apiVersion = "0.6.0"

// param is one parameter of a query, decoded.
type param struct{ key, value string }

// field is one header that is signed, with its name in lower case.
type field struct{ name, value string }

// signedFields returns the headers for which signed is true, sorted by name.
func signedFields(h http.Header, signed func(name string) bool) []field {
	fields := make([]field, 0, 8)
	for name, values := range h {
		name = strings.ToLower(strings.TrimSpace(name))
		if len(values) > 0 && signed(name) {
			fields = append(fields, field{name: name, value: strings.TrimSpace(values[0])})
		}
	}
	sortFields(fields)
	return fields
}

func sortFields(fields []field) {
	slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
}

// sorted returns the parameters in the order of their keys. No call has a key twice.
func sorted(query []param) []param {
	byKey := func(a, b param) int { return strings.Compare(a.key, b.key) }
	if slices.IsSortedFunc(query, byKey) {
		return query
	}
	query = slices.Clone(query)
	slices.SortStableFunc(query, byKey)
	return query
}
