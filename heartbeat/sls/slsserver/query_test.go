package slsserver

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/rollcall-go/rollcall/heartbeat/sls/internal/alloctest"
)

func TestQuery(t *testing.T) {
	r := newRig(t, Config{Projects: []Project{{
		Name: "p", Logstores: []Logstore{{Name: "ls"}}, Processors: map[string]string{"errors": "* | where level = 'error'"},
	}}})
	var group []byte
	for _, level := range []string{"info", "error", "info"} {
		group = append(group, logGroup("level", level, "it's", "a 'quote'")...)
	}
	for _, g := range [][]byte{group, sample, logGroup("level", "info")} {
		r.want(r.put(lowKey, g), 200, "")
	}
	begin := r.cursor(0, "begin")
	raw := listSize(len(group)) + listSize(59) + listSize(len(logGroup("level", "info")))
	for _, c := range []struct {
		parameter             string
		groups, lines, result int
	}{
		{"query=" + url.QueryEscape("*"), 3, 5, 5},
		{"query=" + url.QueryEscape("* | where level = 'error'"), 1, 5, 1},
		{"query=" + url.QueryEscape("*|WHERE level='info'") + "&pullMode=scan_on_stream", 2, 5, 3},
		{"query=" + url.QueryEscape(`* | where level = 'info' and "it's" = 'a ''quote'''`), 1, 5, 2},
		{"query=" + url.QueryEscape("* | where level = 'error' and TestKey = 'TestContent'"), 0, 5, 0},
		{"query=" + url.QueryEscape("* | where TestKey = 'TestContent' and __topic__ = 't' and __source__ = '127.0.0.1' and \"__tag__:k\" = 'v'"), 1, 5, 1},
		{"query=" + url.QueryEscape("* | where __topic__ = 'u'"), 0, 5, 0},
		{"processor=errors", 1, 5, 1},
		{"queryId=errors", 1, 5, 1},
	} {
		groups, next, a := r.pull(0, begin, c.parameter)
		if len(groups) != c.groups || next != plus(begin, 3) {
			t.Errorf("%s: %d groups, next %s", c.parameter, len(groups), next)
		}
		logs := 0
		for _, g := range groups {
			_ = walk(g, func(f field) error {
				if f.number == groupLogs {
					logs++
				}
				return nil
			})
		}
		if logs != c.result {
			t.Errorf("%s: %d logs", c.parameter, logs)
		}
		for name, want := range map[string]int{
			"x-log-rawdatasize": raw, "x-log-rawdatacount": 3, "x-log-rawdatalines": c.lines, "x-log-resultlines": c.result, "x-log-failedlines": 0,
		} {
			if got := a.header.Get(name); got != strconv.Itoa(want) {
				t.Errorf("%s: %s is %s, want %d", c.parameter, name, got, want)
			}
		}
	}
	for _, query := range []string{
		"", " ", "error", "* |", "* | where", "* | where a", "* | where a =", "* | where a = b", "* | where a = 'b", "* | where a = 'b' or c = 'd'",
		"* | where a = 'b' and", "* | where a != 'b'", "* | project a", "* | where a = 'b' | where c = 'd'", "* where a = 'b'", "* | where = 'b'",
		`* | where "a = 'b'`,
	} {
		if _, err := parseQuery(query); err == nil {
			t.Errorf("%q is taken", query)
		}
		if query != "" {
			a := r.do("GET", "/logstores/ls/shards/0?type=logs&cursor="+begin+"&query="+url.QueryEscape(query), "")
			r.wantCode(a, 400, "ParameterInvalid")
		}
	}
	r.wantCode(r.do("GET", "/logstores/ls/shards/0?type=logs&cursor="+begin+"&query=*&processor=errors", ""), 400, "ParameterInvalid")
}

func FuzzQuery(f *testing.F) {
	f.Add("* | where level = 'error' and \"a\" = 'b'")
	f.Add("* | where a = 'it''s'")
	f.Add("* | where " + strings.Repeat("a = 'b' and ", 280) + "a = 'b'")
	f.Fuzz(func(t *testing.T, text string) {
		if n := alloctest.Bytes(func() { _, _ = parseQuery(text) }); n > 32*min(len(text), maxQueryBytes)+32<<10 {
			t.Errorf("a query of %d bytes allocates %d", len(text), n)
		}
		// Anything can be a key and a value.
		if text != "" && len(text) < 1000 {
			whole := `* | where "` + strings.ReplaceAll(text, `"`, `""`) + `" = '` + strings.ReplaceAll(text, `'`, `''`) + `'`
			if q, err := parseQuery(whole); err != nil || q.meets([]byte(text), []byte(text)) != q.all() || len(q.conditions) != 1 {
				t.Errorf("%q: %v", whole, err)
			}
		}
		q, err := parseQuery(text)
		if err != nil {
			return
		}
		out, lines, matched := q.apply(nil, sample)
		if lines != 1 || matched > 1 || matched == 1 && string(out) != string(sample) || matched == 0 && len(out) > 0 {
			t.Errorf("%q: %d of %d lines, %x", text, matched, lines, out)
		}
	})
}
