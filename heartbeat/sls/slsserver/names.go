package slsserver

import (
	"unicode"
	"unicode/utf8"
)

const maxName = 128

// validName is the one rule for what names a project, a logstore or a group. Such a name
// needs no escaping in a path and is no path of its own.
func validName(s string) bool {
	if s == "" || len(s) > maxName {
		return false
	}
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return true
}

// validConsumer is the rule for consumer names, which travel in query values only: SDKs
// put host names, blanks and slashes in.
func validConsumer(s string) bool {
	if s == "" || len(s) > maxName || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}
