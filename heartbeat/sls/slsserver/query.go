package slsserver

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// filter is a parsed query. All of its conditions must hold. Each condition has a bit, so that the
// time for a log does not grow with the number of conditions.
type filter struct{ conditions map[condition]uint64 }

type condition struct{ key, value string }

// The bounds of a query. There are 64 bits for conditions.
const (
	maxConditions = 64
	maxQueryBytes = 16 << 10
)

// add adds a condition if it is new. It returns false if there is no room for it.
func (f *filter) add(c condition) bool {
	if _, ok := f.conditions[c]; ok {
		return true
	}
	if len(f.conditions) == maxConditions {
		return false
	}
	f.conditions[c] = 1 << len(f.conditions)
	return true
}

// meets returns the bit of the condition that a key and its value meet, or zero.
func (f *filter) meets(key, value []byte) uint64 {
	return f.conditions[condition{string(key), string(value)}] // does not allocate
}

// all returns the bits of all conditions.
func (f *filter) all() uint64 { return 1<<len(f.conditions) - 1 }

// filterOf returns the filter of a request: its query, or the stored query that it names.
func (s *Server) filterOf(c *call) (*filter, error) {
	text := c.query.Get("query")
	id := c.query.Get("processor")
	if id == "" {
		id = c.query.Get("queryId") // Rust sends this name
	}
	if mode := c.query.Get("pullMode"); mode != "" && mode != "scan_on_stream" {
		return nil, badParameter("the pullMode is %q", mode)
	}
	switch {
	case text != "" && id != "":
		return nil, badParameter("there is both a query and a processor")
	case text != "":
		return parseQuery(text)
	case id == "":
		return nil, nil
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if p := s.projects[c.project]; p != nil && p.processors[id] != nil {
		return p.processors[id], nil
	}
	return nil, badParameter("there is no processor %q", id)
}

// parseQuery reads the part of the query language that the package comment describes.
func parseQuery(text string) (*filter, error) {
	unsupported := badParameter("only this much of a query is supported: * | where key = 'value' and key = 'value'")
	if len(text) > maxQueryBytes {
		return nil, badParameter("the query has more than %d bytes", maxQueryBytes)
	}
	f := &filter{conditions: map[condition]uint64{}}
	next := func() (token string) {
		token, text = cutToken(text)
		return token
	}
	if next() != "*" {
		return nil, unsupported
	}
	token := next()
	if token == "" {
		return f, nil
	}
	if token != "|" || !strings.EqualFold(next(), "where") {
		return nil, unsupported
	}
	for {
		key := next()
		if quoted, ok := unquote(key, '"'); ok {
			key = quoted
		} else if strings.Trim(key, wordBytes) != "" || key == "" {
			return nil, unsupported
		}
		if next() != "=" {
			return nil, unsupported
		}
		value, ok := unquote(next(), '\'')
		if !ok {
			return nil, unsupported
		}
		if !f.add(condition{key, value}) {
			return nil, badParameter("the query has more than %d conditions", maxConditions)
		}
		if token = next(); token == "" {
			return f, nil
		}
		if !strings.EqualFold(token, "and") {
			return nil, unsupported
		}
	}
}

const wordBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

// cutToken cuts the first token off a query: a word, a string in quotes, or one other byte. In a
// string, two quotes stand for one. The token is empty at the end of the query.
func cutToken(s string) (token, rest string) {
	s = strings.TrimLeft(s, " \t\r\n")
	if s == "" {
		return "", ""
	}
	if n := len(s) - len(strings.TrimLeft(s, wordBytes)); n > 0 {
		return s[:n], s[n:]
	}
	if quote := s[0]; quote == '"' || quote == '\'' {
		for n := 1; n < len(s); n++ {
			if s[n] != quote {
				continue
			}
			if n++; n == len(s) || s[n] != quote {
				return s[:n], s[n:]
			}
		}
	}
	return s[:1], s[1:]
}

// unquote returns the value of a string token, or false for any other token.
func unquote(token string, quote byte) (string, bool) {
	if len(token) < 2 || token[0] != quote {
		return "", false
	}
	q := string(quote)
	return strings.ReplaceAll(token[1:len(token)-1], q+q, q), true
}

// apply appends the log group with only its matching logs. It returns how many logs the group has,
// and how many match. It appends nothing if no log matches.
func (f *filter) apply(dst, group []byte) (out []byte, lines, matched int) {
	met := f.groupConditions(group)
	start := len(dst)
	_ = walk(group, func(fl field) error { // checkGroup has checked the group
		if fl.number == groupLogs && fl.kind == protowire.BytesType {
			lines++
			if !f.matches(fl.value, met) {
				return nil
			}
			matched++
		}
		dst = append(dst, fl.whole...)
		return nil
	})
	if matched == 0 {
		dst = dst[:start]
	}
	return dst, lines, matched
}

// groupConditions returns which conditions the group's topic, source and tags meet.
func (f *filter) groupConditions(group []byte) (met uint64) {
	if f.all() == 0 {
		return 0
	}
	var tag []byte
	_ = walk(group, func(fl field) error {
		switch {
		case fl.kind != protowire.BytesType:
		case fl.number == groupTopic:
			met |= f.meets([]byte("__topic__"), fl.value)
		case fl.number == groupSource:
			met |= f.meets([]byte("__source__"), fl.value)
		case fl.number == groupTags:
			if key, value, err := readPair(fl.value); err == nil {
				tag = append(append(tag[:0], "__tag__:"...), key...)
				met |= f.meets(tag, value)
			}
		}
		return nil
	})
	return met
}

// matches reports whether a log meets all conditions. met has the bits of those that its group
// meets.
func (f *filter) matches(log []byte, met uint64) bool {
	all := f.all()
	if met == all {
		return true
	}
	_ = walk(log, func(fl field) error {
		if fl.number != logContents || fl.kind != protowire.BytesType {
			return nil
		}
		key, value, err := readPair(fl.value)
		if err == nil {
			met |= f.meets(key, value)
		}
		return err
	})
	return met == all
}

// replyFiltered answers with the matching logs. The cursor moves even if no log matches.
func (c *call) replyFiltered(entries []entry, f *filter, kind string) error {
	var list, group, kept []byte
	var err error
	raw, lines, results, groups := 0, 0, 0, 0
	for i := range entries {
		if group, err = entries[i].decode(group[:0]); err != nil {
			return err
		}
		raw += listSize(len(group))
		var n, matched int
		kept, n, matched = f.apply(kept[:0], group)
		lines += n
		results += matched
		if matched > 0 {
			groups++
			list = append(appendListHeader(list, len(kept)), kept...)
		}
	}
	h := c.w.Header()
	for name, n := range map[string]int{
		"X-Log-Rawdatasize": raw, "X-Log-Rawdatacount": len(entries), "X-Log-Rawdatalines": lines,
		"X-Log-Resultlines": results, "X-Log-Failedlines": 0,
	} {
		h[name] = []string{strconv.Itoa(n)}
	}
	packed, err := pack(list, kind)
	if err != nil {
		return err
	}
	return c.replyList(groups, len(list), kind, packed)
}
