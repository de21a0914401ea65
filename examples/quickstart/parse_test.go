package main

import "testing"

func TestClassify(t *testing.T) {
	const combined = `203.0.113.9 - - [02/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 5316 "-" "curl/8.9.1"`
	for _, tt := range []struct{ name, text, want string }{
		{"combined", combined, "200"},
		{"common", `::1 - mei [02/Mar/2026:10:00:00 +0000] "POST /login HTTP/2" 302 0`, "302"},
		{"no size", `h - - [t] "GET /a HTTP/1.1" 304 - "-" "-"`, "304"},
		{"escaped quotes", `h - - [t] "GET /\"a\" HTTP/1.1" 404 12 "-" "an \"agent\""`, "404"},
		{"a request that is none", `h - - [t] "\x16\x03" 400 157 "-" "-"`, "400"},
		{"an ERROR in the path is no level", `h - - [t] "GET /ERROR HTTP/1.1" 200 1`, "200"},
		{"cut short", `h - - [02/Mar/2026:10:00:00 +0000] "GET /prod`, "text"},
		{"no status", `h - - [t] "GET / HTTP/1.1"`, "text"},
		{"bad status", `h - - [t] "GET / HTTP/1.1" 99 1`, "text"},
		{"status of four digits", `h - - [t] "GET / HTTP/1.1" 2000 1`, "text"},
		{"signed status", `h - - [t] "GET / HTTP/1.1" +20 1`, "text"},
		{"negative size", `h - - [t] "GET / HTTP/1.1" 200 -5`, "text"},
		{"no agent", `h - - [t] "GET / HTTP/1.1" 200 1 "-"`, "text"},
		{"more after the agent", combined + ` 0.003`, "text"},
		{"unclosed time", `h - - [t "GET / HTTP/1.1" 200 1`, "text"},

		{"level in capitals", "2026-03-02T10:00:00Z ERROR payment: timed out", "ERROR"},
		{"with a colon", "WARNING: disk is full", "WARN"},
		{"in brackets", "[notice] started", "INFO"},
		{"logfmt", `time=now level=warn msg="slow"`, "WARN"},
		{"JSON", `{"level":"error","msg":"x"}`, "ERROR"},
		{"JSON with spaces", `{"Severity" : "critical"}`, "FATAL"},
		{"syslog", "Mar  2 10:00:00 host app: <ERR> x", "ERROR"},
		{"the first level counts", "INFO retry after ERROR", "INFO"},
		{"an error in running text", "there was an error here", "text"},
		{"a part of a name", "NO_ERROR ERRORS INFO2 XINFO", "text"},
		{"far into the line", string(make([]byte, 300)) + " ERROR", "text"},
		{"empty", "", "text"},
		{"binary", "\x00\xff\xfe\x80\x1b[31m", "text"},
	} {
		if got := classify([]byte(tt.text)); got != tt.want {
			t.Errorf("%s: classify(%q) = %q, want %q", tt.name, tt.text, got, tt.want)
		}
	}
}

func TestParseAccess(t *testing.T) {
	got, ok := parseAccess([]byte(`2001:db8::7 - o'neill [02/Mar/2026:10:00:00 +0000] "GET /a b HTTP/1.1" 206 1024 "https://shop.example/" "agent (x; y)"`))
	want := access{
		host: "2001:db8::7", user: "o'neill", time: "02/Mar/2026:10:00:00 +0000", request: "GET /a b HTTP/1.1",
		status: 206, size: 1024, referer: "https://shop.example/", agent: "agent (x; y)",
	}
	if !ok || got != want {
		t.Errorf("parseAccess = %+v, %v, want %+v", got, ok, want)
	}
}

func FuzzClassify(f *testing.F) {
	f.Add([]byte(`h - - [t] "GET / HTTP/1.1" 200 1 "-" "-"`))
	f.Add([]byte(`{"level":"error"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if classify(text) == "" {
			t.Errorf("%q has no class", text)
		}
	})
}
