package slsserver

import (
	"strings"
	"testing"
)

// TestWire sends each operation as it is on the wire, one after the other.
func TestWire(t *testing.T) {
	r := newRig(t, Config{})
	w := dial(t, r.listen())
	head := "\nHost: p.sls.test\nx-log-apiversion: 0.6.0\nx-log-signaturemethod: hmac-sha1\nDate: Mon, 23 Nov 2026 09:30:00 GMT\n"
	json := head + "Content-Type: application/json\nx-log-bodyrawsize: 0\n"
	literal := "\xf0\x2c" + string(sample)
	for _, step := range []struct {
		name, request, body string
	}{
		{"create", "POST /logstores/ls/consumergroups HTTP/1.1" + json + "Content-Length: 50\n\n" +
			`{"consumerGroup":"g","timeout":60,"order":true}   `, ""},
		{"list", "GET /logstores/ls/consumergroups HTTP/1.1" + head + "\n", `[{"name":"g","timeout":60,"order":true}]`},
		{"update", "PUT /logstores/ls/consumergroups/g HTTP/1.1" + json + "Content-Length: 27\n\n" +
			`{"order":true,"timeout":30}`, ""},
		{"list", "GET /logstores/ls/consumergroups HTTP/1.1" + head + "\n", `[{"name":"g","timeout":30,"order":true}]`},
		{"join", "POST /logstores/ls/consumergroups/g?consumer=c1&type=heartbeat HTTP/1.1" + json + "Content-Length: 2\n\n[]",
			"[0,1]"},
		{"beat", "POST /logstores/ls/consumergroups/g?type=heartbeat&consumer=c1 HTTP/1.1" + json + "Content-Length: 5\n\n[1,0]",
			"[0,1]"},
		{"checkpoints", "GET /logstores/ls/consumergroups/g HTTP/1.1" + head + "\n",
			`[{"shard":0,"checkpoint":"","updateTime":0,"consumer":"c1"},{"shard":1,"checkpoint":"","updateTime":0,"consumer":"c1"}]`},
		{"one checkpoint", "GET /logstores/ls/consumergroups/g?shard=1 HTTP/1.1" + head + "\n",
			`[{"shard":1,"checkpoint":"","updateTime":0,"consumer":"c1"}]`},
		{"no checkpoint", "GET /logstores/ls/consumergroups/g?shard=7 HTTP/1.1" + head + "\n", `[]`},
		{"put", "POST /logstores/ls HTTP/1.1" + head +
			"Content-Type: application/x-protobuf\nx-log-bodyrawsize: 59\nx-log-compresstype: lz4\nContent-Length: 61\n\n" + literal, ""},
		{"put lb", "POST /logstores/ls/shards/lb HTTP/1.1" + head +
			"Content-Type: application/x-protobuf\nx-log-bodyrawsize: 59\nx-log-compresstype: lz4\nContent-Length: 61\n\n" + literal, ""},
		{"put route", "POST /logstores/ls/shards/route?key=" + highKey + " HTTP/1.1" + head +
			"Content-Type: application/x-protobuf\nx-log-bodyrawsize: 59\nContent-Length: 59\n\n" + string(sample), ""},
		{"delete", "DELETE /logstores/ls/consumergroups/g HTTP/1.1" + head + "\n", ""},
		{"list none", "GET /logstores/ls/consumergroups HTTP/1.1" + head + "\n", `[]`},
	} {
		a := w.send(step.request)
		if a.status != 200 || a.body != step.body {
			t.Errorf("%s: %d %q, want %q", step.name, a.status, a.body, step.body)
		}
		if id := a.header.Get("x-log-requestid"); len(id) != 24 {
			t.Errorf("%s: request id %q", step.name, id)
		}
	}
	begin := r.cursor(0, "begin")
	a := w.send("GET /logstores/ls/shards/0?type=logs&count=1000&cursor=" + strings.ReplaceAll(begin, "=", "%3D") + " HTTP/1.1" + head +
		"Accept: application/x-protobuf\nAccept-Encoding: lz4\n\n")
	groups := pageGroups(t, a)
	if len(groups) != 1 || string(groups[0]) != string(sample) {
		t.Fatalf("pulled %d groups: %x", len(groups), groups)
	}
	if a.header.Get("Content-Type") != "application/x-protobuf" {
		t.Errorf("content type %q", a.header.Get("Content-Type"))
	}
}
