package slsserver

import (
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// filter is a parsed query: all its conditions have to hold. Each has a bit of its own, so
// that a log costs what it is long, and not that times the conditions.
type filter struct{ conditions map[condition]uint64 }

type condition struct{ key, value string }

// The bounds of a query. One condition more would not have a bit.
const (
	maxConditions = 64
	maxQueryBytes = 16 << 10
)

// add adds a condition, unless it is there, and reports whether there was room for it.
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

// all is what a log has to meet.
func (f *filter) all() uint64 { return 1<<len(f.conditions) - 1 }

// filterOf finds the query of a request, or the stored one that it names.
func (s *Server) filterOf(c *call) (*filter, error) {
	text := c.query.Get("query")
	id := c.query.Get("processor")
	if id == "" {
		id = c.query.Get("queryId") // Rust's name for it
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

// parseQuery reads the part of the query language that there is: see the package.
func parseQuery(text string) (*filter, error) {
	unsupported := badParameter("only this much of a query is supported: * | where key = 'value' and key = 'value'")
	if len(text) > maxQueryBytes {
		return nil, badParameter("the query has more than %d bytes", maxQueryBytes)
	}
	p := queryParser{rest: text}
	f := &filter{conditions: map[condition]uint64{}}
	if !p.symbol("*") {
		return nil, unsupported
	}
	if p.end() {
		return f, nil
	}
	if !p.symbol("|") || !p.word("where") {
		return nil, unsupported
	}
	for {
		key, ok := p.key()
		if !ok || !p.symbol("=") {
			return nil, unsupported
		}
		value, ok := p.quoted('\'')
		if !ok {
			return nil, unsupported
		}
		if !f.add(condition{key, value}) {
			return nil, badParameter("the query has more than %d conditions", maxConditions)
		}
		if p.end() {
			return f, nil
		}
		if !p.word("and") {
			return nil, unsupported
		}
	}
}

type queryParser struct{ rest string }

func (p *queryParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *queryParser) end() bool {
	p.skip()
	return p.rest == ""
}

func (p *queryParser) symbol(s string) bool {
	p.skip()
	rest, ok := strings.CutPrefix(p.rest, s)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *queryParser) word(want string) bool {
	p.skip()
	before := p.rest
	if strings.EqualFold(p.bare(), want) {
		return true
	}
	p.rest = before
	return false
}

// bare takes letters, digits and underscores.
func (p *queryParser) bare() string {
	n := 0
	for n < len(p.rest) {
		c := p.rest[n]
		if c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			break
		}
		n++
	}
	word := p.rest[:n]
	p.rest = p.rest[n:]
	return word
}

func (p *queryParser) key() (string, bool) {
	p.skip()
	if strings.HasPrefix(p.rest, `"`) {
		return p.quoted('"')
	}
	word := p.bare()
	return word, word != ""
}

// quoted takes a string in quotes. A quote within it is doubled.
func (p *queryParser) quoted(quote byte) (string, bool) {
	p.skip()
	if p.rest == "" || p.rest[0] != quote {
		return "", false
	}
	var b strings.Builder
	for i := 1; i < len(p.rest); i++ {
		if p.rest[i] != quote {
			b.WriteByte(p.rest[i])
			continue
		}
		if i+1 < len(p.rest) && p.rest[i+1] == quote {
			b.WriteByte(quote)
			i++
			continue
		}
		p.rest = p.rest[i+1:]
		return b.String(), true
	}
	return "", false
}

// apply appends the log group with the logs that match, and counts them. It appends
// nothing if there are none.
func (f *filter) apply(dst, group []byte) (out []byte, lines, matched int) {
	met := f.groupConditions(group)
	start := len(dst)
	_ = walk(group, func(fl field) error { // the group was checked when it came
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

// matches reports whether a log meets the conditions that its group does not.
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

// replyFiltered answers with the logs that match. The cursor has moved even when there
// are none.
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
