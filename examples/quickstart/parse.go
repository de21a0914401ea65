package main

import (
	"bytes"
	"strconv"
)

// classify returns the class of a line in the report: the status of a request in an
// access log ("200"), the level of another log line that has one ("ERROR"), or "text".
func classify(text []byte) string {
	if r, ok := parseAccess(text); ok {
		return strconv.Itoa(r.status)
	}
	if l := level(text); l != "" {
		return l
	}
	return "text"
}

// access is a line of an access log, in the common or the combined format:
//
//	host ident user [time] "request" status size
//	host ident user [time] "request" status size "referer" "user agent"
type access struct {
	host, user, time, request string
	status                    int
	size                      int64 // "-" is 0
	referer, agent            string
}

// parseAccess returns false if any part of the line does not have the format.
func parseAccess(text []byte) (r access, ok bool) {
	f := fields{rest: text, ok: true}
	r.host = f.word()
	f.word() // ident
	r.user = f.word()
	r.time = f.quoted('[', ']')
	r.request = f.quoted('"', '"')
	status := f.word()
	size := f.word()
	if len(f.rest) > 0 {
		r.referer = f.quoted('"', '"')
		r.agent = f.quoted('"', '"')
	}
	if !f.ok || len(f.rest) > 0 {
		return access{}, false
	}
	var err error
	if r.status, err = strconv.Atoi(status); err != nil || len(status) != 3 || r.status < 100 || r.status > 599 {
		return access{}, false
	}
	if size != "-" {
		if r.size, err = strconv.ParseInt(size, 10, 64); err != nil || r.size < 0 {
			return access{}, false
		}
	}
	return r, true
}

// fields reads the parts of a line from left to right. Once a part is missing, ok stays
// false.
type fields struct {
	rest []byte
	ok   bool
}

// word reads the text before the next space, or the rest of the line. The text must not
// be empty.
func (f *fields) word() string {
	word, rest, _ := bytes.Cut(f.rest, []byte(" "))
	f.ok = f.ok && len(word) > 0
	f.rest = rest
	return string(word)
}

// quoted reads the text between two quotes, and a space after it. A quote that follows
// a backslash does not end the text.
func (f *fields) quoted(left, right byte) string {
	if !f.ok || len(f.rest) == 0 || f.rest[0] != left {
		f.ok = false
		return ""
	}
	for i := 1; i < len(f.rest); i++ {
		switch f.rest[i] {
		case '\\':
			i++
		case right:
			value := f.rest[1:i]
			var spaced bool
			f.rest, spaced = bytes.CutPrefix(f.rest[i+1:], []byte(" "))
			f.ok = spaced || len(f.rest) == 0
			return string(value)
		}
	}
	f.ok = false
	return ""
}

// levels are the words that name a log level, and what each counts as.
var levels = map[string]string{
	"TRACE": "TRACE", "DEBUG": "DEBUG",
	"INFO": "INFO", "NOTICE": "INFO",
	"WARN": "WARN", "WARNING": "WARN",
	"ERROR": "ERROR", "ERR": "ERROR",
	"FATAL": "FATAL", "CRITICAL": "FATAL", "CRIT": "FATAL", "PANIC": "FATAL", "EMERG": "FATAL",
}

// level returns the level of a log line, or "". A level is a word in capitals within
// the first bytes, or a word in capital or small letters where only a level can stand:
// [error], level=error, "level":"error". The word "error" in running text is no level.
func level(text []byte) string {
	const within = 256
	text = text[:min(len(text), within)]
	for i := 0; i < len(text); {
		n := 0
		for i+n < len(text) && letter(text[i+n]) {
			n++
		}
		word := text[i : i+n]
		if l, ok := levels[string(bytes.ToUpper(word))]; ok && alone(text, i, i+n) {
			if bytes.Equal(word, bytes.ToUpper(word)) || marked(text[:i], text[i+n:]) {
				return l
			}
		}
		i += n + 1
	}
	return ""
}

// alone reports whether text[i:j] is a whole name, not a part of a longer one.
func alone(text []byte, i, j int) bool {
	inName := func(c byte) bool { return letter(c) || c >= '0' && c <= '9' || c == '_' }
	return (i == 0 || !inName(text[i-1])) && (j == len(text) || !inName(text[j]))
}

// marked reports whether the text around a word shows that the word is a level.
func marked(before, after []byte) bool {
	if bytes.HasSuffix(before, []byte("[")) && bytes.HasPrefix(after, []byte("]")) {
		return true
	}
	before = bytes.ToLower(bytes.TrimRight(before, `"' :=`))
	for _, key := range []string{"level", "lvl", "severity"} {
		if bytes.HasSuffix(before, []byte(key)) {
			return true
		}
	}
	return false
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
