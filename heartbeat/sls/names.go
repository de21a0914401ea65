package sls

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	nameRule = "1 to 128 letters, digits, '.', '-' and '_' after a letter or digit"

	maxName   = 128
	maxCursor = 4096 // bytes; the service's own cursors have about 30
)

// validName is the rule for the names of logstores and groups. Names go into the path without an
// escape, so that client and service sign the same path. The service documents only a part of its
// own rule. validName accepts what the official clients accept, but no leading '-' or '_'.
func validName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !alphanumeric(c) && (i == 0 || c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return true
}

// validProject is the rule for a part of a host name.
func validProject(s string) bool {
	if s == "" || len(s) > 63 || s[0] == '-' || s[len(s)-1] == '-' {
		return false
	}
	for i := range len(s) {
		if !alphanumeric(s[i]) && s[i] != '-' {
			return false
		}
	}
	return true
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// validCursor is the rule for cursors from the service or from a checkpoint store. The client does
// not interpret them, but it must be able to send them in a query. Some clients commit a cursor
// together with the line end of its base64 text. validCursor accepts it, because a query can
// contain a line end.
func validCursor(s string) bool {
	if len(s) > maxCursor {
		return false
	}
	if s = strings.TrimRight(s, "\r\n"); s == "" {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// validKey is the rule for hash keys: 32 lower-case hex digits.
func validKey(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// bounded cuts a text to a length.
func bounded(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "..."
}

func quote(s string) string { return strconv.Quote(bounded(s, maxName)) }

// shown quotes a short value of an answer, and describes a long one by its length. It does not cut
// a long one, because scrub would not find a part of a secret.
func shown(s string) string {
	if len(s) > 24 {
		return "a value of " + strconv.Itoa(len(s)) + " bytes"
	}
	return strconv.Quote(s)
}
