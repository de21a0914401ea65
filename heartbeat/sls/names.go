package sls

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	nameRule = "1 to 128 letters, digits, '.', '-' and '_' after a letter or digit"

	maxName   = 128
	maxCursor = 4096 // bytes; the service's own cursors have some 30
)

// validName says which names of logstores and groups may go into a path. They are sent
// as they are: none of these characters needs an escape, so nobody can disagree about
// what was signed. The service's own rule is not documented in full; this one takes
// all that the official clients take, but for a leading '-' or '_'.
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

// validProject says which names may be a part of a host name.
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

// validCursor is for cursors as they come from the service or from a checkpoint store.
// They are opaque, but they go into queries and come from headers. Some clients commit
// them with the line end that their base64 has; a query carries it, and it is theirs.
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

// validKey is for hash keys: 32 lower-case hex digits.
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

// bounded cuts what others wrote to a length that a log line can bear.
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

// shown is for what the service sent where something short belongs: the rest is not
// worth a log line, and half a secret that it sent back would pass scrub unnoticed.
func shown(s string) string {
	if len(s) > 24 {
		return "something of " + strconv.Itoa(len(s)) + " bytes"
	}
	return strconv.Quote(s)
}
